//! Files that a crash at any point leaves as they were before or as they are to be. Only root reads them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {reason}; free space below data_dir, or make it writable", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    // Not its source: the message has it already.
    reason: io::Error,
}

impl StoreError {
    /// Whether somebody else could do it.
    pub fn is_not_permitted(&self) -> bool {
        self.reason.kind() == ErrorKind::PermissionDenied
    }
}

/// The error of an action on a path.
pub(crate) fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |reason| StoreError { action, path: path.to_owned(), reason }
}

/// Makes a directory, if it does not exist.
pub(crate) fn directory(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create", path))
}

/// Gives a file in a directory this text. Where that fails it has the one it had.
pub(crate) fn write(directory: &Path, name: &str, text: &[u8]) -> Result<(), StoreError> {
    let (path, new) = (directory.join(name), directory.join(format!(".{name}.new")));
    // What a crash has left may be anybody's to read, and would stay so.
    let _ = fs::remove_file(&new);
    let written = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    written().map_err(|error| {
        let _ = fs::remove_file(&new);
        failed("write", &path)(error)
    })?;
    sync(directory)
}

/// Removes a file, if there is one.
pub(crate) fn remove(directory: &Path, name: &str) -> Result<(), StoreError> {
    let path = directory.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
        _ => {}
    }
    sync(directory)
}

fn sync(directory: &Path) -> Result<(), StoreError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("sync", directory))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_root_reads_what_is_kept() {
        let data = tempfile::tempdir().unwrap();
        let below = data.path().join("a/b");
        directory(&below).unwrap();
        // A crash left this, and anybody could read it.
        fs::write(below.join(".file.new"), "half").unwrap();
        fs::set_permissions(below.join(".file.new"), fs::Permissions::from_mode(0o644)).unwrap();
        write(&below, "file", b"text").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&below), mode(&below.join("file"))), (0o700, 0o600));
        assert_eq!(fs::read(below.join("file")).unwrap(), b"text");
        remove(&below, "file").unwrap();
        remove(&below, "file").unwrap();
        assert_eq!(fs::read_dir(&below).unwrap().count(), 0);
    }
}
