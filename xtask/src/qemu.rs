//! qemu's packages, which must be of one version. Where its tools for disk images were installed from Debian's backports,
//! the release's own machine would need them removed, and nobody's tools are: the machine is taken from there too.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{apt::Apt, sh, ui};

/// The package of the machine.
pub(crate) const MACHINE: &str = "qemu-system-x86";

/// The package of the tools.
const TOOLS: &str = "qemu-utils";

/// Of which the release has older ones than its backports' machine takes.
const PARTS: [&str; 4] = [MACHINE, "qemu-system-common", "qemu-system-data", "seabios"];

/// The packages that install the machine where the tools are newer than the release's; none where they are not, or not
/// there.
pub(crate) fn of_the_tools_version() -> Result<Vec<PathBuf>> {
    let (Some(tools), Some(machine)) = (installed(TOOLS), offered(MACHINE)) else { return Ok(Vec::new()) };
    let older = Command::new("dpkg").args(["--compare-versions", &machine, "lt", &tools]).status();
    if !older.context("cannot start dpkg")?.success() {
        return Ok(Vec::new());
    }
    ui::step("setup", format_args!("{MACHINE} {machine} does not go with {TOOLS} {tools}: taking it from backports"));
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let release = codename(&release).context("/etc/os-release names no release of Debian")?;
    let apt = Apt::new(sh::workspace().join("target/backports"), &format!("{release}-backports"))?;
    apt.download(&PARTS.map(ToOwned::to_owned))
}

/// The version of a package that is installed.
fn installed(package: &str) -> Option<String> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status} ${Version}", package]);
    sh::output(&mut query)?.strip_prefix("installed ").map(ToOwned::to_owned)
}

/// The version of a package that apt would install.
fn offered(package: &str) -> Option<String> {
    let policy = sh::output(Command::new("apt-cache").args(["policy", package]).env("LC_ALL", "C"))?;
    candidate(&policy).map(ToOwned::to_owned)
}

fn candidate(policy: &str) -> Option<&str> {
    policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: ")).filter(|version| *version != "(none)")
}

fn codename(release: &str) -> Option<&str> {
    release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).map(|name| name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_and_the_system_say() {
        let policy = "qemu-system-x86:\n  Installed: (none)\n  Candidate: 1:7.2+dfsg-7\n  Version table:\n";
        assert_eq!(candidate(policy), Some("1:7.2+dfsg-7"));
        assert_eq!(candidate("a:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm\n"), Some("bookworm"));
        assert_eq!(codename("VERSION_CODENAME=\"trixie\"\n"), Some("trixie"));
    }
}
