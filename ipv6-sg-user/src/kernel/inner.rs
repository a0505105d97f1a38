//! Making the maps inside a map of maps.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::maps::MapData;
use aya::util::{KernelVersion, nr_cpus};
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_LRU_HASH;

use super::error::one_line;
use super::object::OBJECT;
use super::{KernelError, Result, bpf};

/// Makes inner maps that one outer map accepts.
#[derive(Debug)]
pub struct InnerMaker {
    outer: &'static str,
    definition: aya_obj::Map,
    /// Kernels 5.15 to 6.1 refuse an inner map without BTF where the outer one's template has it.
    btf: Option<OwnedFd>,
    /// How many entries more than asked for a map is made with.
    more: u32,
}

impl InnerMaker {
    /// For the map `outer` of the object; `btf` is the id of the BTF that a program of the object was loaded with. A map
    /// that forgets its oldest entries is made larger by [`kept_aside`].
    ///
    /// # Errors
    /// The object does not describe such a map, or the kernel does not give its BTF, or does not say how many processors
    /// there can be.
    pub fn new(outer: &'static str, btf: Option<u32>) -> Result<Self> {
        let refused = |reason: String| KernelError::Map { action: "create", map: outer, reason };
        let object = aya_obj::Object::parse(OBJECT).map_err(|error| refused(one_line(&error)))?;
        let definition = object
            .maps
            .get(outer)
            .and_then(aya_obj::Map::inner)
            .ok_or_else(|| refused("the object does not describe its inner map".to_owned()))?;
        let btf = btf.map(bpf::btf_by_id).transpose().map_err(|error| refused(error.to_string()))?;
        let forgets = definition.map_type() == BPF_MAP_TYPE_LRU_HASH as u32;
        let more = if forgets { kept_aside()? } else { 0 };
        let entries = definition.max_entries();
        let mut maker = Self { outer, definition, btf, more };
        maker.resize(entries);
        Ok(maker)
    }

    /// Maps made from now on have room for so many entries, whatever the object says. Whether it was for others before.
    pub fn resize(&mut self, entries: u32) -> bool {
        let (before, after) = (self.definition.max_entries(), entries.saturating_add(self.more));
        self.definition.set_max_entries(after);
        before != after
    }

    /// A new, empty map of this name, of which the kernel keeps 15 bytes.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub fn make(&self, name: &str) -> Result<MapData> {
        let btf = self.btf.as_ref().map(|fd| fd.as_fd());
        MapData::create(self.definition.clone(), name, btf).map_err(KernelError::map("create", self.outer))
    }
}

/// How many free entries of an LRU map a processor takes for itself at most (`LOCAL_FREE_TARGET` in the kernel).
const OWN_SHARE: u32 = 128;
/// From this version on all processors together take no more than half of a map.
const SHARES: KernelVersion = KernelVersion::new(6, 16, 0);

/// How many entries an LRU map needs beyond those that are to have room in it, on this host.
///
/// A processor takes free entries for itself many at a time, and only what it adds uses them. Another that finds none left
/// forgets what is oldest, however many the others have: a map of 16384 would hold next to nothing with 128 processors.
/// Linux 6.16 bounds what they take, and nothing is added there.
///
/// # Errors
/// The kernel does not say how many processors there can be.
pub fn kept_aside() -> Result<u32> {
    let cpus = nr_cpus().map_err(|(path, error)| KernelError::file("read", path)(error))?;
    Ok(kept_aside_by(cpus, KernelVersion::current().ok()))
}

/// Where the version is not known, too large is better than too small.
fn kept_aside_by(cpus: usize, kernel: Option<KernelVersion>) -> u32 {
    match kernel {
        Some(version) if version >= SHARES => 0,
        _ => u32::try_from(cpus).unwrap_or(u32::MAX).saturating_mul(OWN_SHARE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_6_16_each_processor_has_its_share() {
        for old in [None, Some(KernelVersion::new(5, 10, 0)), Some(KernelVersion::new(6, 15, 99))] {
            assert_eq!([1, 2, 128].map(|cpus| kept_aside_by(cpus, old)), [128, 256, 16_384], "{old:?}");
        }
        for new in [KernelVersion::new(6, 16, 0), KernelVersion::new(7, 0, 0)] {
            assert_eq!(kept_aside_by(128, Some(new)), 0, "{new:?}");
        }
        assert_eq!(kept_aside_by(usize::MAX, None), u32::MAX);
    }
}
