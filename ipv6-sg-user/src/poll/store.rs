//! Where the last good answer is kept, so that a restart needs nobody to answer: one file below `data_dir`.

use std::fs;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::Answer;
use crate::durable::{self, StoreError, failed};

/// The file.
#[derive(Debug)]
pub struct Store<T> {
    directory: PathBuf,
    of: PhantomData<fn() -> T>,
}

/// Why there is no last good answer to be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else wrote it, or the writing was cut short. The next answer overwrites it.
    #[error("{} holds no answer of {who}: {reason}; nothing of it is used", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Whose it was to be.
        who: &'static str,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
}

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self { directory: self.directory.clone(), of: PhantomData }
    }
}

impl<T: Answer> Store<T> {
    /// The one in `data_dir`, which is made if it does not exist.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        durable::directory(data_dir)?;
        Ok(Self::at(data_dir))
    }

    fn at(data_dir: &Path) -> Self {
        Self { directory: data_dir.to_owned(), of: PhantomData }
    }

    /// The last good answer, if there has been one.
    ///
    /// # Errors
    /// There is a file, and it cannot be read or is none of ours.
    pub fn load(&self) -> Result<Option<T>, LoadError> {
        let path = self.directory.join(T::FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error).into()),
        };
        serde_json::from_slice(&text).map(Some).map_err(|reason| LoadError::Form { path, who: T::WHO, reason })
    }

    /// The last good answer in `data_dir`, for those who only look: none where there is nothing that they can read.
    pub fn look(data_dir: &Path) -> Option<T> {
        Self::at(data_dir).load().ok().flatten()
    }

    /// Keeps this answer in place of the one before.
    ///
    /// # Errors
    /// It cannot be written: the one before still is.
    pub fn save(&self, answer: &T) -> Result<(), StoreError> {
        let text =
            serde_json::to_vec(answer).map_err(|error| failed("write", &self.directory.join(T::FILE))(error.into()))?;
        durable::write(&self.directory, T::FILE, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Vec<String> {
        ["one", "two"].map(str::to_owned).to_vec()
    }

    #[test]
    fn what_is_kept_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("lib");
        let store = Store::<Vec<String>>::open(&data).unwrap();
        assert_eq!(store.load().unwrap(), None);
        store.save(&answer()).unwrap();
        store.save(&Vec::new()).unwrap();
        assert_eq!(Store::<Vec<String>>::open(&data).unwrap().load().unwrap(), Some(Vec::new()));
    }

    /// Cut anywhere, it is refused.
    #[test]
    fn half_an_answer_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save(&answer()).unwrap();
        let path = directory.path().join("answer.json");
        let text = fs::read(&path).unwrap();
        for length in 0..text.len() {
            fs::write(&path, &text[..length]).unwrap();
            let error = store.load().unwrap_err().to_string();
            assert!(error.contains(" holds no answer of Somebody: "), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_written_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save(&answer()).unwrap();
        fs::create_dir(directory.path().join(".answer.json.new")).unwrap();
        let error = store.save(&Vec::new()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.ends_with("or make it writable"), "{error}");
        assert_eq!(store.load().unwrap(), Some(answer()));
    }
}
