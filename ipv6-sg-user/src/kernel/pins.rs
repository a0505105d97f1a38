//! Where things are pinned.

use std::path::{Path, PathBuf};
use std::{fs, io};

use ipv6_sg_common::abi::{ABI_VERSION, maps};

use super::hook::Hook;
use super::{KernelError, Result};

/// The pin directory of one ABI version, and its neighbours of other versions.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
    abi: u32,
}

/// A pinned link of any ABI version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PinnedHook {
    pub(super) abi: u32,
    pub(super) ifindex: u32,
    pub(super) hook: Hook,
    pub(super) path: PathBuf,
}

impl Pins {
    /// The pins of this program's ABI version in `pin_dir`.
    pub fn new(pin_dir: impl Into<PathBuf>) -> Self {
        Self::of_abi(pin_dir, ABI_VERSION)
    }

    /// The pins of another ABI version: what an older or newer program left.
    pub fn of_abi(pin_dir: impl Into<PathBuf>, abi: u32) -> Self {
        Self { root: pin_dir.into(), abi }
    }

    /// The pin directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of this ABI version.
    pub fn directory(&self) -> PathBuf {
        self.root.join(format!("v{}", self.abi))
    }

    /// The directory of the maps.
    pub fn maps(&self) -> PathBuf {
        self.directory().join("maps")
    }

    /// The pin of a map.
    pub fn map(&self, name: &str) -> PathBuf {
        self.maps().join(name)
    }

    /// The directory of the links.
    pub fn links(&self) -> PathBuf {
        self.directory().join("links")
    }

    pub(super) fn link(&self, ifindex: u32, hook: Hook) -> PathBuf {
        self.links().join(format!("{ifindex}-{}", hook.name()))
    }

    /// This version's pin of a hook, whether it is there or not.
    pub(super) fn hook(&self, ifindex: u32, hook: Hook) -> PinnedHook {
        PinnedHook { abi: self.abi, ifindex, hook, path: self.link(ifindex, hook) }
    }

    pub(super) fn create(&self) -> Result<()> {
        for directory in [self.maps(), self.links()] {
            fs::create_dir_all(&directory).map_err(KernelError::file("create", directory))?;
        }
        Ok(())
    }

    /// Every pinned link, of this version and of others.
    pub(super) fn all_links(&self) -> Result<Vec<PinnedHook>> {
        let mut found = Vec::new();
        for abi in self.versions()? {
            for name in entries(&Self::of_abi(&self.root, abi).links())? {
                let Some((ifindex, hook)) = name.split_once('-') else { continue };
                let (Ok(ifindex), Some(hook)) = (ifindex.parse(), Hook::from_name(hook)) else { continue };
                found.push(Self::of_abi(&self.root, abi).hook(ifindex, hook));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Removes what other versions left, once no link of theirs is pinned any more.
    pub(super) fn remove_other_versions(&self) -> Result<()> {
        for abi in self.versions()?.into_iter().filter(|abi| *abi != self.abi) {
            let other = Self::of_abi(&self.root, abi);
            if entries(&other.links())?.is_empty() {
                other.remove()?;
            }
        }
        Ok(())
    }

    /// Removes this version's maps and directories; its links must be gone.
    pub(super) fn remove(&self) -> Result<()> {
        for name in entries(&self.maps())? {
            let path = self.map(&name);
            fs::remove_file(&path).map_err(KernelError::file("remove", path))?;
        }
        for directory in [self.maps(), self.links(), self.directory()] {
            match fs::remove_dir(&directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(KernelError::file("remove", directory)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether this version's maps are all there.
    pub fn complete(&self) -> bool {
        maps::ALL.iter().all(|name| self.map(name).exists())
    }

    /// Whether this version or another has left anything: an upgrade may have failed, and the old one still guards.
    ///
    /// # Errors
    /// The pin directory cannot be read.
    pub fn of_any_version(&self) -> Result<bool> {
        Ok(!self.versions()?.is_empty())
    }

    fn versions(&self) -> Result<Vec<u32>> {
        let names = entries(&self.root)?;
        Ok(names.iter().filter_map(|name| name.strip_prefix('v')?.parse().ok()).collect())
    }
}

/// The names in a directory; none when it does not exist.
fn entries(directory: &Path) -> Result<Vec<String>> {
    let listing = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(KernelError::file("read", directory))?,
    };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(KernelError::file("read", directory))?;
        names.extend(entry.file_name().into_string());
    }
    Ok(names)
}
