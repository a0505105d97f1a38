//! The API socket: for root alone, and for one daemon.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::{Mode, umask};
use tokio::net::UnixListener;

use super::SOCKET;

/// Binds the socket in `run_dir`, which is made if it does not exist.
///
/// # Errors
/// Another daemon answers there, or the directory is not to be written.
pub(super) fn bind(run_dir: &Path) -> Result<UnixListener> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(run_dir)
        .with_context(|| format!("cannot create run_dir {}", run_dir.display()))?;
    let path = run_dir.join(SOCKET);
    match UnixStream::connect(&path) {
        Ok(_) => bail!("another daemon answers on {}: stop it first, or set another run_dir", path.display()),
        // A daemon that was killed leaves its socket behind.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(&path).with_context(|| format!("cannot remove the stale socket {}", path.display()))?;
        }
        Err(_) => {}
    }
    // From its first moment nobody but root may connect.
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(&path);
    umask(before);
    listener.with_context(|| format!("cannot listen on {}", path.display()))
}

/// Removes the socket at the end of a daemon's life.
pub(super) fn remove(run_dir: &Path) {
    let path = run_dir.join(SOCKET);
    if let Err(error) = fs::remove_file(&path) {
        tracing::debug!("cannot remove {}: {error}", path.display());
    }
}
