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
    let made = target == pin_dir && !pin_dir.exists();
    if made {
        fs::create_dir_all(pin_dir).map_err(KernelError::file("create", pin_dir))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    if let Err(error) = mount(Some("bpf"), target, Some("bpf"), flags, Some("mode=0700")) {
        if made {
            let _ = fs::remove_dir(pin_dir);
        }
        return Err(KernelError::NoBpffs { path: pin_dir.to_owned(), reason: io::Error::from(error) });
    }
    tracing::info!(path = %target.display(), "mounted a bpffs");
    fs::create_dir_all(pin_dir).map_err(KernelError::file("create", pin_dir))
}

/// Whether `path`, or the nearest directory above it that exists, is on a bpffs.
pub(super) fn is_bpffs(path: &Path) -> bool {
    path.ancestors()
        .find(|ancestor| ancestor.exists())
        .and_then(|ancestor| statfs(ancestor).ok())
        .is_some_and(|info| info.filesystem_type() == BPF_FS_MAGIC)
}
