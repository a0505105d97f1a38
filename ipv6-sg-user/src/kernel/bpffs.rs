//! The file system that keeps pins alive.

use std::path::Path;
use std::{fs, io};

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::{KernelError, Result};

/// Where distributions mount it.
const USUAL: &str = "/sys/fs/bpf";

/// Makes `pin_dir` a directory on a bpffs, mounting one if there is none.
pub(super) fn ensure(pin_dir: &Path) -> Result<()> {
    if is_bpffs(pin_dir) {
        return fs::create_dir_all(pin_dir).map_err(KernelError::file("create", pin_dir));
    }
    let target = if pin_dir.starts_with(USUAL) { Path::new(USUAL) } else { pin_dir };
    if target == pin_dir {
        fs::create_dir_all(pin_dir).map_err(KernelError::file("create", pin_dir))?;
    }
    tracing::info!(path = %target.display(), "mounting a bpffs");
    mount(
        Some("bpf"),
        target,
        Some("bpf"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        Some("mode=0700"),
    )
    .map_err(|error| KernelError::NoBpffs { path: pin_dir.to_owned(), source: io::Error::from(error) })?;
    fs::create_dir_all(pin_dir).map_err(KernelError::file("create", pin_dir))
}

/// Whether `path`, or the nearest directory above it that exists, is on a bpffs.
pub(super) fn is_bpffs(path: &Path) -> bool {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .and_then(|ancestor| statfs(ancestor).ok())
        .is_some_and(|info| info.filesystem_type() == BPF_FS_MAGIC)
}
