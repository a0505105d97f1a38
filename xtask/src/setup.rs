//! `cargo xtask setup`: installs what is missing, and does nothing twice.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
    unistd::geteuid,
};

use crate::{
    packages::{
        CLOUDSTACK, DELEGATION, GUEST, KEA, LINKER, MACHINE, PACKAGER, Package, RIVALS, SYSTEM, TOOLCHAIN, TOOLS,
    },
    qemu, services, sh,
    toolchain::{self, LLVM_MAJOR, Toolchain},
    ui,
};

/// What a thing is needed for: a verb asks for no more than it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Build,
    Lint,
    Test,
    CloudStack,
    Kea,
    Delegation,
    Machine,
    Guest,
    Dist,
    System,
    Bench,
}

/// The first release that links the bitcode of LLVM 22; also the one that is installed.
const LINKER_VERSION: (u32, u32, u32) = (0, 13, 0);

/// What `cargo xtask dist` was written for.
const PACKAGER_VERSION: (u32, u32, u32) = (3, 8, 0);

const BPFFS: &str = "/sys/fs/bpf";

/// The verb: everything, and a word even when there was nothing to do.
pub(crate) fn run() -> Result<()> {
    if !ensure(&[Need::Build, Need::Lint, Need::Test])? {
        ui::step("setup", "everything is here");
    }
    Ok(())
}

/// Installs what these needs ask for and the machine lacks; tells whether there was anything.
pub(crate) fn ensure(needs: &[Need]) -> Result<bool> {
    let mut changed = install_packages(&missing_packages(needs))?;
    if needs.contains(&Need::Build) {
        if Toolchain::find().is_none() {
            bail!(
                "no Rust compiler for the kernel program. With rustup: `rustup toolchain install nightly --component rust-src` \
                 (of LLVM {LLVM_MAJOR} at most); on Debian: the packages {}",
                names(TOOLCHAIN)
            );
        }
        changed |= install_linker()?;
    }
    if needs.contains(&Need::Dist) {
        changed |= install_packager()?;
    }
    if needs.contains(&Need::Test) && is_root() {
        changed |= mount_bpffs()?;
    }
    Ok(changed)
}

/// Whether this runs as root, whom packages, mounts and everything that touches the kernel ask for.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// The packages that `needs` ask for and dpkg does not have; none where there is no dpkg, whose place is then the
/// reader's.
fn missing_packages(needs: &[Need]) -> Vec<Package> {
    let compiler = Toolchain::find();
    let mut wanted = [TOOLS, MACHINE, CLOUDSTACK, KEA, DELEGATION, GUEST, PACKAGER, SYSTEM, RIVALS].concat();
    wanted.extend(TOOLCHAIN.iter().filter(|package| match package.need {
        Need::Build => compiler.is_none(),
        Need::Lint
        | Need::Test
        | Need::CloudStack
        | Need::Kea
        | Need::Delegation
        | Need::Machine
        | Need::Guest
        | Need::Dist
        | Need::System
        | Need::Bench => compiler != Some(Toolchain::Nightly),
    }));
    if !has_linker() {
        wanted.extend(LINKER);
    }
    wanted.retain(|package| needs.contains(&package.need));
    if wanted.is_empty() {
        return wanted;
    }

    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Package} ${db:Status-Status}\n"]);
    query.args(wanted.iter().map(|package| package.name));
    // It fails as soon as one package is unknown to it, and still lists the others.
    let Ok(known) = query.stderr(Stdio::null()).output() else {
        return Vec::new();
    };
    let known = String::from_utf8_lossy(&known.stdout);
    wanted.retain(|package| !known.lines().any(|line| line == format!("{} installed", package.name)));
    wanted
}

fn install_packages(missing: &[Package]) -> Result<bool> {
    if missing.is_empty() {
        return Ok(false);
    }
    // `--no-remove`: Debian's own rustup conflicts with its compilers, and nobody's rustup is taken away here.
    let install = ["install", "--yes", "--no-install-recommends", "--no-remove"];
    if !is_root() {
        bail!("packages are missing; as root: apt-get update && apt-get {} {}", install.join(" "), names(missing));
    }
    for package in missing {
        ui::step("setup", format_args!("installing {}: {}", package.name, package.why));
    }
    let remedy = "mend what it says above, then run `cargo xtask setup` again";
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        // Another setup may be at work: wait for the lock.
        apt.args(["-o", "DPkg::Lock::Timeout=300"]).args(args);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    sh::run_quietly(&mut apt(&["update"]), remedy)?;
    let mut install = apt(&install);
    install.args(missing.iter().map(|package| package.name));
    if missing.iter().any(|package| package.name == qemu::MACHINE) {
        install.args(qemu::of_the_tools_version()?);
    }
    let _stopped = services::keep_stopped()?;
    sh::run_quietly(&mut install, remedy)?;
    services::keep_disabled(missing)?;
    Ok(true)
}

fn install_linker() -> Result<bool> {
    if has_linker() {
        return Ok(false);
    }
    let (major, minor, patch) = LINKER_VERSION;
    let version = format!("{major}.{minor}.{patch}");
    ui::step(
        "setup",
        format_args!("installing bpf-linker {version}: links the kernel program; compiling it takes a minute or two"),
    );
    let mut install = sh::cargo();
    install.args(["install", "--locked", "bpf-linker", "--version", &version]);
    install.args(["--no-default-features", "--features"]);
    install.arg(format!("llvm-{LLVM_MAJOR}"));
    // Without Debian's LLVM, the linker's build looks for an llvm-config of its own.
    let llvm = format!("/usr/lib/llvm-{LLVM_MAJOR}");
    if Path::new(&llvm).exists() {
        install.env("LLVM_PREFIX", llvm);
    }
    sh::run_quietly(
        &mut install,
        &format!("it takes LLVM {LLVM_MAJOR} with its headers, on Debian {}", names(LINKER)),
    )?;
    if !has_linker() {
        bail!("bpf-linker {version} is installed, but PATH finds another before it: remove that one");
    }
    Ok(true)
}

fn install_packager() -> Result<bool> {
    let version = sh::output(sh::cargo().args(["deb", "--version"]));
    if version.as_deref().and_then(parse_version).is_some_and(|version| version >= PACKAGER_VERSION) {
        return Ok(false);
    }
    let (major, minor, patch) = PACKAGER_VERSION;
    let version = format!("{major}.{minor}.{patch}");
    ui::step(
        "setup",
        format_args!("installing cargo-deb {version}: makes the Debian package; compiling it takes a minute"),
    );
    let mut install = sh::cargo();
    // Without its features it compresses by what Debian does that with.
    install.args(["install", "--locked", "cargo-deb", "--version", &version, "--no-default-features"]);
    sh::run_quietly(&mut install, "mend what it says above, then run `cargo xtask setup` again")?;
    Ok(true)
}

/// Whether a bpf-linker runs (it needs LLVM's library at run time too) that is new enough.
fn has_linker() -> bool {
    let mut linker = Command::new("bpf-linker");
    linker.arg("--version").env("PATH", toolchain::path(None));
    let version = sh::output(&mut linker);
    version.as_deref().and_then(parse_version).is_some_and(|version| version >= LINKER_VERSION)
}

/// The version in a line like `bpf-linker 0.13.0`.
fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split_whitespace().nth(1)?.splitn(3, '.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

fn mount_bpffs() -> Result<bool> {
    if statfs(BPFFS).is_ok_and(|fs| fs.filesystem_type() == BPF_FS_MAGIC) {
        return Ok(false);
    }
    ui::step("setup", format_args!("mounting a bpffs at {BPFFS}: what is pinned there outlives its process"));
    mount(Some("bpf"), BPFFS, Some("bpf"), MsFlags::empty(), None::<&str>)
        .with_context(|| format!("cannot mount a bpffs at {BPFFS}; a container must be given CAP_SYS_ADMIN"))?;
    Ok(true)
}

fn names(packages: &[Package]) -> String {
    packages.iter().map(|package| package.name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linkers_version_is_read_and_compared_by_number() {
        assert_eq!(parse_version("bpf-linker 0.13.0\n"), Some((0, 13, 0)));
        assert!(parse_version("bpf-linker 0.9.15").is_some_and(|version| version < LINKER_VERSION));
        assert_eq!(parse_version("bpf-linker"), None);
    }
}
