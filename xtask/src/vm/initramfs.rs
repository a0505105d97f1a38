//! What the machine has for a root file system: this machine's own programs, tools and libraries, at their own paths.

use std::{
    env,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{archive::Archive, modules::Module, programs::Test};
use crate::sh;

/// What the tests call by name. `true` is what dhclient is told to configure addresses with.
const TOOLS: &[&str] =
    &["bpftool", "busybox", "dhclient", "ip", "iperf3", "nsenter", "ping", "radvd", "setpriv", "tc", "tcpdump", "true"];

/// Files that they read: names of users, of protocols.
const FILES: &[&str] = &["/etc/group", "/etc/passwd", "/etc/protocols"];

/// Where tools are.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

const INIT: &[u8] = include_bytes!("init.sh");

/// The part that is the same for all kernels, in a file that has room behind it for another kernel's part.
pub(super) struct Initramfs {
    pub(super) path: PathBuf,
    length: u64,
}

impl Initramfs {
    /// `plan` says what runs, in lines of the form that init.sh reads.
    pub(super) fn create(folder: &Path, tests: &[Test], others: &[PathBuf], plan: &str) -> Result<Self> {
        let path = folder.join("initramfs");
        let mut archive = Archive::create(path.clone())?;
        archive.file(Path::new("/init"), 0o755, INIT)?;
        archive.file(Path::new("/programs"), 0o644, plan.as_bytes())?;
        archive.directory(Path::new("/tmp"), 0o1777)?;
        archive.directory(Path::new("/var/run"), 0o755)?;
        for program in tests.iter().map(|test| &test.path).chain(others) {
            archive.mirror(program, Some(&strip(folder, program)?))?;
            libraries(program)?.iter().try_for_each(|library| archive.mirror(library, None))?;
        }
        for tool in TOOLS {
            let tool = which(tool)?;
            archive.mirror(&tool, None)?;
            libraries(&tool)?.iter().try_for_each(|library| archive.mirror(library, None))?;
        }
        for file in FILES.iter().map(Path::new).filter(|file| file.exists()) {
            archive.mirror(file, None)?;
        }
        Ok(Self { length: archive.finish()?, path })
    }

    /// Gives it a kernel's modules, in the place of those of the kernel before.
    pub(super) fn set_modules(&self, modules: &[Module]) -> Result<()> {
        let beside = self.path.with_extension("modules");
        let mut archive = Archive::create(beside.clone())?;
        self::modules(&mut archive, modules)?;
        archive.finish()?;
        let append = || {
            let mut whole = OpenOptions::new().append(true).open(&self.path)?;
            whole.set_len(self.length)?;
            whole.write_all(&fs::read(&beside)?)
        };
        append().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Puts modules where the first process loads them from, in this order.
pub(super) fn modules(archive: &mut Archive, modules: &[Module]) -> Result<()> {
    for (place, module) in modules.iter().enumerate() {
        archive.file(&Path::new("/modules").join(format!("{place:02}-{}", module.name)), 0o644, &module.bytes)?;
    }
    Ok(())
}

/// Makes a copy of a program, in this folder, without what only debuggers read.
pub(super) fn strip(folder: &Path, program: &Path) -> Result<PathBuf> {
    let stripped = folder.join("stripped");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&stripped).arg(program);
    sh::run_quietly(&mut strip, "it is in Debian's package binutils")?;
    Ok(stripped)
}

pub(super) fn which(tool: &str) -> Result<PathBuf> {
    let found = env::split_paths(PATH).map(|folder| folder.join(tool)).find(|path| path.is_file());
    found.with_context(|| format!("the tests need {tool}, which is in none of {PATH}"))
}

/// The libraries that a program is linked with, and what loads them. None for one that needs none.
pub(super) fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let Some(text) = sh::output(Command::new("ldd").arg(program)) else { return Ok(Vec::new()) };
    if let Some(missing) = text.lines().find(|line| line.contains("not found")) {
        bail!("{} cannot run here either: {}", program.display(), missing.trim());
    }
    Ok(paths(&text))
}

/// The paths in what ldd says: `name => /path (address)`, or `/path (address)`.
fn paths(text: &str) -> Vec<PathBuf> {
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_libraries_and_their_loader() {
        let text =
            "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\t/lib64/ld.so.2 (0x00007f)\n";
        assert_eq!(paths(text), [PathBuf::from("/lib/libc.so.6"), PathBuf::from("/lib64/ld.so.2")]);
    }
}
