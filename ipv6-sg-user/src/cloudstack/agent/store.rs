//! Where the agent's words are kept, so that a restart needs nobody to say them again: a file a VM below `data_dir`.
//!
//! A crash at any point leaves a file as it was before or as it is to be.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha1::{Digest as _, Sha1};

use super::{Registry, Vm};
use crate::durable::{self, failed};

pub use crate::durable::StoreError;

/// In `data_dir`.
const DIRECTORY: &str = "cloudstack";

/// The longest name that is the name of a file as it is: with all that is put around it, it fits into 255 bytes.
const LONGEST: usize = 200;

/// The directory.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
}

/// A file that is no record of a VM. It is renamed, and out of the way, where the disk lets it.
#[derive(Debug, thiserror::Error)]
#[error("{} is no record of a VM and {place}: {reason}", path.display())]
pub struct SetAside {
    path: PathBuf,
    place: String,
    reason: String,
}

impl SetAside {
    /// The VM whose record it was, as far as its name tells.
    pub fn vm(&self) -> &str {
        self.path.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

impl Store {
    /// The one below `data_dir`, which is made if it does not exist.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let directory = data_dir.join(DIRECTORY);
        durable::directory(&directory)?;
        Ok(Self { directory })
    }

    /// All VMs, and what was found that is none.
    ///
    /// # Errors
    /// The directory, or a file in it, cannot be read.
    pub fn load(&self) -> Result<(Registry, Vec<SetAside>), StoreError> {
        let (mut vms, mut others) = (Vec::new(), Vec::new());
        for (path, record) in records(&self.directory)? {
            match record {
                Ok(vm) => vms.push(vm),
                Err(reason) => {
                    let aside = path.with_extension("json.aside");
                    let place = match fs::rename(&path, &aside) {
                        Ok(()) => format!("is set aside as {}", aside.display()),
                        // Nobody else's VM is to suffer for it.
                        Err(error) => format!("stays where it is ({error})"),
                    };
                    others.push(SetAside { path, place, reason });
                }
            }
        }
        Ok((Registry::new(vms), others))
    }

    /// All VMs below `data_dir`, for those who only look: what is no record of one is left where it is, and out.
    ///
    /// # Errors
    /// The directory, or a file in it, cannot be read.
    pub fn look(data_dir: &Path) -> Result<Registry, StoreError> {
        let directory = data_dir.join(DIRECTORY);
        match fs::symlink_metadata(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Registry::default()),
            _ => Ok(Registry::new(records(&directory)?.into_iter().filter_map(|(_, record)| record.ok()))),
        }
    }

    /// Keeps what is known of the VM of this name now; nothing, if nothing is.
    ///
    /// # Errors
    /// It cannot be written: what was kept before still is.
    pub fn save(&self, name: &str, vm: Option<&Vm>) -> Result<(), StoreError> {
        let file = file_name(name);
        match vm {
            Some(vm) => {
                let text = vm.write().map_err(|error| failed("write", &self.directory.join(&file))(error.into()))?;
                durable::write(&self.directory, &file, &text)
            }
            None => durable::remove(&self.directory, &file),
        }
    }
}

/// A file, and the VM in it or the reason why it is none.
type Record = (PathBuf, Result<Vm, String>);

/// The records in a directory.
fn records(directory: &Path) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let path = entry.map_err(failed("list", directory))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || !name.ends_with(".json") {
            continue;
        }
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let vm = Vm::read(&text).map_err(|error| error.to_string());
        let vm = vm.and_then(|vm| match file_name(&vm.name) == name {
            true => Ok(vm),
            false => Err(format!("it is about {:?}", vm.name)),
        });
        records.push((path, vm));
    }
    Ok(records)
}

/// The file of a VM. What cannot be the name of a file, or is too long for one, is told by a number that is made of it.
fn file_name(vm: &str) -> String {
    let plain = vm.len() <= LONGEST && vm.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if plain {
        return format!("{vm}.json");
    }
    let digest = Sha1::digest(vm.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("vm.{digits}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(name: &str) -> Vm {
        Vm { name: name.to_owned(), id: "5".to_owned(), system: false, nics: Default::default() }
    }

    #[test]
    fn what_is_kept_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("lib")).unwrap();
        let names = ["i-2-5-VM", "../i-2-6-VM", &"x".repeat(300), "i-2-7-VM"];
        for name in names {
            store.save(name, Some(&vm(name))).unwrap();
            store.save(name, Some(&vm(name))).unwrap();
        }
        store.save("i-2-7-VM", None).unwrap();
        store.save("i-2-7-VM", None).unwrap();
        let (registry, aside) = Store::open(&directory.path().join("lib")).unwrap().load().unwrap();
        assert_eq!(registry, Registry::new(names[..3].iter().map(|name| vm(name))));
        assert!(aside.is_empty());
    }

    #[test]
    fn what_is_no_record_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save("i-2-5-VM", Some(&vm("i-2-5-VM"))).unwrap();
        let of = |name: &str| directory.path().join("cloudstack").join(name);
        fs::write(of("i-2-6-VM.json"), "{").unwrap();
        // Somebody's copy of another VM's.
        fs::copy(of("i-2-5-VM.json"), of("i-2-7-VM.json")).unwrap();
        // A crash left this.
        fs::write(of(".i-2-5-VM.json.new"), "{").unwrap();
        let (registry, mut aside) = store.load().unwrap();
        assert_eq!(registry, Registry::new([vm("i-2-5-VM")]));
        aside.sort_by_key(|aside| aside.path.clone());
        let reasons: Vec<_> = aside.iter().map(|aside| aside.reason.as_str()).collect();
        assert_eq!(reasons[1], "it is about \"i-2-5-VM\"");
        assert!(reasons[0].starts_with("EOF while parsing"), "{reasons:?}");
        assert_eq!(Store::look(directory.path()).unwrap(), Registry::new([vm("i-2-5-VM")]));
        assert!(of("i-2-6-VM.json.aside").exists() && !of("i-2-6-VM.json").exists());
        assert!(store.load().unwrap().1.is_empty());
        // A directory in the way keeps it from being renamed, and nobody else's record from being read.
        fs::write(of("i-2-8-VM.json"), "{").unwrap();
        fs::create_dir(of("i-2-8-VM.json.aside")).unwrap();
        let (registry, aside) = store.load().unwrap();
        assert_eq!(registry, Registry::new([vm("i-2-5-VM")]));
        assert!(
            aside[0].to_string().contains("i-2-8-VM.json is no record of a VM and stays where it is ("),
            "{}",
            aside[0]
        );
    }

    #[test]
    fn what_cannot_be_written_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.save("i-2-5-VM", Some(&vm("i-2-5-VM"))).unwrap();
        // Root writes where nobody else may: a directory in the way stops him too.
        fs::create_dir(directory.path().join("cloudstack/.i-2-5-VM.json.new")).unwrap();
        let other = Vm { id: "6".to_owned(), ..vm("i-2-5-VM") };
        let error = store.save("i-2-5-VM", Some(&other)).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.ends_with("or make it writable"), "{error}");
        assert_eq!(store.load().unwrap().0, Registry::new([vm("i-2-5-VM")]));
    }
}
