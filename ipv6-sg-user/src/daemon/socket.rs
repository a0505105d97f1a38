//! The API socket: for root alone, and for one daemon.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::sys::stat::{Mode, umask};
use tokio::net::UnixListener;

use super::SOCKET;

/// The socket's file, removed when the daemon ends or does not get as far as starting.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Binds the socket in `run_dir`, which is made if it does not exist.
///
/// # Errors
/// Another daemon answers there, or the directory is not to be written.
pub(super) fn bind(run_dir: &Path) -> Result<(UnixListener, SocketFile)> {
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
    let listener = listener.with_context(|| format!("cannot listen on {}", path.display()))?;
    Ok((listener, SocketFile(path)))
}
