//! Packages of servers are installed for their programs: the servers themselves would take ports and processor.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{self, Command},
};

use anyhow::{Context as _, Result};

use crate::{packages::Package, sh};

/// Debian's packages ask it before they start anything; 101 is "no".
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Where systemd is not, nothing is started by units.
const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// By what a policy of this program's is known.
const OURS: &str = "# `cargo xtask setup` installs packages";

/// Whose services would start at the next boot, and what they are called.
const AT_BOOT: &[(&str, &str)] = &[
    ("kea-dhcp6-server", "kea-dhcp6-server"),
    ("mariadb-server", "mariadb"),
    ("postgresql", "postgresql"),
    ("wide-dhcpv6-client", "wide-dhcpv6-client"),
];

/// While it lives no package starts a service.
pub(crate) struct Stopped;

/// Keeps services from being started, unless the machine has a policy already: that one is its owner's.
pub(crate) fn keep_stopped() -> Result<Option<Stopped>> {
    let path = Path::new(POLICY);
    let there = fs::read_to_string(path);
    if there.as_ref().is_ok_and(|policy| !policy.contains(OURS)) {
        return Ok(None);
    }
    let stopped = Stopped;
    let write = || {
        fs::write(path, policy(process::id()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    };
    write().with_context(|| format!("cannot write {POLICY}, which keeps packages from starting their services"))?;
    Ok(Some(stopped))
}

/// Keeps the services of packages that were just installed from being started at the next boot.
pub(crate) fn keep_disabled(installed: &[Package]) -> Result<()> {
    let mine = |package: &str| installed.iter().any(|installed| installed.name == package);
    let services = AT_BOOT.iter().filter(|(package, _)| mine(package)).map(|(_, service)| service);
    for service in services.filter(|_| Path::new(SYSTEMCTL).exists()) {
        let remedy = format!("see to it that {service} does not start at the next boot");
        sh::run_quietly(Command::new(SYSTEMCTL).args(["disable", service]), &remedy)?;
    }
    Ok(())
}

/// What it says. One that is left behind by a setup that was killed refuses nothing.
fn policy(setup: u32) -> String {
    format!("#!/bin/sh\n{OURS}\ngrep -qx xtask /proc/{setup}/comm 2> /dev/null && exit 101\nexit 0\n")
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = fs::remove_file(POLICY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_refused_as_long_as_a_setup_runs() {
        let folder = std::env::temp_dir().join(format!("xtask-services-{}", process::id()));
        fs::create_dir(&folder).unwrap();
        let setup = folder.join("xtask");
        fs::copy("/bin/sleep", &setup).unwrap();
        let mut setup = Command::new(setup).arg("60").spawn().unwrap();
        let answer = |policy: String| Command::new("sh").args(["-c", &policy]).status().unwrap().code();
        let meanwhile = answer(policy(setup.id()));
        setup.kill().unwrap();
        setup.wait().unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!((meanwhile, answer(policy(setup.id()))), (Some(101), Some(0)));
    }
}
