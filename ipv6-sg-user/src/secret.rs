//! Keys and passwords, out of files that nobody else may read. Nothing shows them: no message, no log, no debugging.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The longest file that can be a secret: CloudStack's keys have 86 characters.
const LONGEST: u64 = 4096;

/// What is put in a secret's place where a text would show it.
pub(crate) const HIDDEN: &str = "[hidden]";

/// A key or a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// Why a file holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum NoSecret {
    /// The system would not let it be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Something else has its place.
    #[error("not a regular file; name one")]
    NotAFile,
    /// It is no secret.
    #[error("others may read or write it (mode {0:04o}); chmod 600 it, and change what it says")]
    Readable(u32),
    /// It is no text of one line.
    #[error("not one line of text; write the password alone")]
    NotALine,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Secret {
    /// The only line in a file that is its owner's alone, without the white space around it.
    pub(crate) fn read(path: &Path) -> Result<Self, NoSecret> {
        // Asked first: opening a FIFO would wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(NoSecret::NotAFile);
        }
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(NoSecret::Readable(mode));
        }
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        let text = String::from_utf8(text).ok().filter(|text| u64::try_from(text.len()).is_ok_and(|n| n <= LONGEST));
        let secret = text.map(|text| text.trim().to_owned()).unwrap_or_default();
        if secret.is_empty() || secret.chars().any(char::is_control) {
            return Err(NoSecret::NotALine);
        }
        Ok(Self(secret))
    }

    /// What only those may look at who use it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let write = |text: &[u8], mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Secret::read(&path)
        };
        let secret = write("two wörds\n".as_bytes(), 0o600).unwrap();
        assert_eq!(secret.expose(), "two wörds");
        assert_eq!(format!("{secret:?}"), "[hidden]");
        for mode in [0o640, 0o604, 0o660, 0o620] {
            assert!(matches!(write(b"abc", mode), Err(NoSecret::Readable(found)) if found == mode));
        }
        for text in [&b""[..], b"\n", b"caf\xe9", b"a\nb", b"a\0b", &[b'a'; 5000]] {
            assert!(matches!(write(text, 0o600), Err(NoSecret::NotALine)), "{text:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(Secret::read(&path), Err(NoSecret::Read(_))));
        fs::create_dir(&path).unwrap();
        assert!(matches!(Secret::read(&path), Err(NoSecret::NotAFile)));
    }
}
