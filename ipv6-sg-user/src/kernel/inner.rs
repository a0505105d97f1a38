//! Making the maps inside a map of maps.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::maps::MapData;

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
}

impl InnerMaker {
    /// For the map `outer` of the object; `btf` is the id of the BTF that a program of the object was loaded with.
    ///
    /// # Errors
    /// The object does not describe such a map, or the kernel does not give its BTF.
    pub fn new(outer: &'static str, btf: Option<u32>) -> Result<Self> {
        let refused = |reason: String| KernelError::Map { action: "create", map: outer, reason };
        let object = aya_obj::Object::parse(OBJECT).map_err(|error| refused(one_line(&error)))?;
        let definition = object
            .maps
            .get(outer)
            .and_then(aya_obj::Map::inner)
            .ok_or_else(|| refused("the object does not describe its inner map".to_owned()))?;
        let btf = btf.map(bpf::btf_by_id).transpose().map_err(|error| refused(error.to_string()))?;
        Ok(Self { outer, definition, btf })
    }

    /// Maps made from now on have so many entries, whatever the object says. Whether they had others before.
    pub fn resize(&mut self, entries: u32) -> bool {
        let before = self.definition.max_entries();
        self.definition.set_max_entries(entries);
        before != entries
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
