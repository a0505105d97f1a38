//! The keys, out of their files. Nothing shows them: no message, no log, no debugging.

use std::path::Path;

use super::ApiError;
use super::error::KeyProblem;
pub(super) use crate::secret::Secret;
use crate::secret::{HIDDEN, NoSecret};

/// What the management server knows us by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Says who asks; it is sent.
    pub(super) api: Secret,
    /// Proves it; it is never sent.
    pub(super) secret: Secret,
}

impl Keys {
    /// Reads both.
    pub(super) fn read(api: &Path, secret: &Path) -> Result<Self, ApiError> {
        let read = |path: &Path| key(path).map_err(|problem| ApiError::Key { path: path.to_owned(), problem });
        Ok(Self { api: read(api)?, secret: read(secret)? })
    }

    /// A text of somebody else's, without the keys: a server that is none of CloudStack's may answer with the question.
    pub(super) fn hide(&self, text: &str) -> String {
        [&self.secret, &self.api].into_iter().fold(text.to_owned(), |text, key| {
            let key = key.expose();
            let encoded = super::signature::encode(key);
            text.replace(&encoded, HIDDEN).replace(&encoded.to_lowercase(), HIDDEN).replace(key, HIDDEN)
        })
    }
}

/// A secret in the characters that keys are made of.
fn key(path: &Path) -> Result<Secret, KeyProblem> {
    let secret = Secret::read(path)?;
    if secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) { Ok(secret) } else { Err(KeyProblem::NotAKey) }
}

impl From<NoSecret> for KeyProblem {
    fn from(problem: NoSecret) -> Self {
        match problem {
            NoSecret::Read(error) => Self::Read(error),
            NoSecret::NotAFile => Self::NotAFile,
            NoSecret::Readable(mode) => Self::Readable(mode),
            NoSecret::NotALine => Self::NotAKey,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

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
