//! The keys, out of their files. Nothing shows them: no message, no log, no debugging.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::ApiError;
use super::error::KeyProblem;

/// The longest file that can be a key: CloudStack's have 86 characters.
const LONGEST: u64 = 4096;

/// What is put in a key's place where a text would show it.
const HIDDEN: &str = "[hidden]";

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

/// What the management server knows us by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Says who asks; it is sent.
    pub(super) api: Secret,
    /// Proves it; it is never sent.
    pub(super) secret: Secret,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Keys {
    /// Reads both.
    pub(super) fn read(api: &Path, secret: &Path) -> Result<Self, ApiError> {
        let read = |path: &Path| Secret::read(path).map_err(|problem| ApiError::Key { path: path.to_owned(), problem });
        Ok(Self { api: read(api)?, secret: read(secret)? })
    }

    /// A text of somebody else's, without the keys: a server that is none of CloudStack's may answer with the question.
    pub(super) fn hide(&self, text: &str) -> String {
        [&self.secret, &self.api].into_iter().fold(text.to_owned(), |text, Secret(key)| {
            let encoded = super::signature::encode(key);
            text.replace(&encoded, HIDDEN).replace(&encoded.to_lowercase(), HIDDEN).replace(key, HIDDEN)
        })
    }
}

impl Secret {
    /// What only signing and sending may look at.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    fn read(path: &Path) -> Result<Self, KeyProblem> {
        // Asked first: opening a FIFO would wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(KeyProblem::NotAFile);
        }
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyProblem::Readable(mode));
        }
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        let text = String::from_utf8(text).ok().filter(|text| u64::try_from(text.len()).is_ok_and(|n| n <= LONGEST));
        let key = text.map(|text| text.trim().to_owned()).unwrap_or_default();
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyProblem::NotAKey);
        }
        Ok(Self(key))
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.key");
        let write = |text: &[u8], mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Keys::read(&path, &path)
        };
        let keys = write(b"abc-DEF_123\n", 0o600).unwrap();
        assert_eq!(keys.secret.expose(), "abc-DEF_123");
        assert_eq!(format!("{keys:?}"), "Keys { api: [hidden], secret: [hidden] }");
        assert_eq!(keys.hide("a=abc-DEF_123&b=abc-def_123"), "a=[hidden]&b=[hidden]");
        assert!(write(b"abc-DEF_123", 0o400).is_ok());

        let message = |outcome: Result<Keys, ApiError>| {
            outcome.unwrap_err().to_string().replace(&directory.path().display().to_string(), "DIR")
        };
        for mode in [0o640, 0o604, 0o660, 0o620] {
            assert_eq!(
                message(write(b"abc", mode)),
                format!(
                    "DIR/secret.key: others may read or write it (mode {mode:04o}); chmod 600 it, and make new keys"
                )
            );
        }
        let no_key = "DIR/secret.key: not a key; write the key alone, as CloudStack shows it";
        for text in [&b""[..], b"\n", b"two words", b"caf\xe9", b"a\nb", &[b'a'; 5000]] {
            assert_eq!(message(write(text, 0o600)), no_key);
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(message(Keys::read(&path, &path)), "DIR/secret.key: No such file or directory (os error 2)");
        fs::create_dir(&path).unwrap();
        assert_eq!(message(Keys::read(&path, &path)), "DIR/secret.key: not a regular file; name one");
    }

    #[test]
    fn keys_of_any_characters_are_hidden() {
        let keys = Keys { api: Secret::of("a+b/c="), secret: Secret::of("x%~") };
        assert_eq!(keys.hide("a+b/c= a%2Bb%2Fc%3D a%2bb%2fc%3d x%~ x%25%7E"), ["[hidden]"; 5].join(" "));
    }
}
