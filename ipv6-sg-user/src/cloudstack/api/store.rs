//! Where the last good answer is kept, so that a restart needs no management server: one file below `data_dir`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Inventory;
use crate::cloudstack::durable::{self, failed};

pub use crate::cloudstack::durable::StoreError;

/// The name of the file. The agent's records have a directory of their own.
const FILE: &str = "cloudstack-api.json";

/// The file.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// Why there is no last good answer to be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Somebody else wrote it, or the writing was cut short. The next answer overwrites it.
    #[error("{} is no answer of CloudStack's: {reason}; nothing of it is used", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
}

impl Store {
    /// The one in `data_dir`, which is made if it does not exist.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        durable::directory(data_dir)?;
        Ok(Self { directory: data_dir.to_owned() })
    }

    /// The last good answer, if there has been one.
    ///
    /// # Errors
    /// There is a file, and it cannot be read or is none of ours.
    pub fn load(&self) -> Result<Option<Inventory>, LoadError> {
        let path = self.directory.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error).into()),
        };
        serde_json::from_slice(&text).map(Some).map_err(|reason| LoadError::Form { path, reason })
    }

    /// The last good answer in `data_dir`, for those who only look: none where there is nothing that they can read.
    pub fn look(data_dir: &Path) -> Option<Inventory> {
        Self { directory: data_dir.to_owned() }.load().ok().flatten()
    }

    /// Keeps this answer in place of the one before.
    ///
    /// # Errors
    /// It cannot be written: the one before still is.
    pub fn save(&self, inventory: &Inventory) -> Result<(), StoreError> {
        let text =
            serde_json::to_vec(inventory).map_err(|error| failed("write", &self.directory.join(FILE))(error.into()))?;
        durable::write(&self.directory, FILE, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::declare::tests::inventory;
    use super::*;

    #[test]
    fn what_is_kept_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("lib");
        let store = Store::open(&data).unwrap();
        assert_eq!(store.load().unwrap(), None);
        let mut inventory = inventory();
        store.save(&inventory).unwrap();
        inventory.vms.clear();
        store.save(&inventory).unwrap();
        assert_eq!(Store::open(&data).unwrap().load().unwrap(), Some(inventory));
    }

    /// Cut anywhere, it is refused.
    #[test]
    fn half_an_answer_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save(&inventory()).unwrap();
        let path = directory.path().join(FILE);
        let text = fs::read(&path).unwrap();
        for length in 0..text.len() {
            fs::write(&path, &text[..length]).unwrap();
            let error = store.load().unwrap_err().to_string();
            assert!(error.ends_with("; nothing of it is used"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_written_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save(&inventory()).unwrap();
        fs::create_dir(directory.path().join(format!(".{FILE}.new"))).unwrap();
        let other = Inventory { vms: Vec::new(), ..inventory() };
        let error = store.save(&other).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.ends_with("or make it writable"), "{error}");
        assert_eq!(store.load().unwrap(), Some(inventory()));
    }
}
