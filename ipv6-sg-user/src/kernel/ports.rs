//! What the maps hold for a port, and the fewest writes from one state to another.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::lpm_trie::Key;
use aya::maps::{HashMap, LpmTrie, MapData};
use ipv6_sg_common::abi::{Port, RouterKey, SourceKey, maps};
use ipv6_sg_common::address::Address;

use super::error::absent;
use super::placement::Placement;
use super::pod::Raw;
use super::store::MapStore;
use super::{KernelError, Result};

/// Prefixes and single addresses, by interface.
pub(super) type Sources = LpmTrie<MapData, Raw<PortAddress>, u32>;
/// Listed routers, by interface.
pub(super) type Routers = HashMap<MapData, Raw<RouterKey>, u32>;

/// A port as the maps hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEntry {
    /// What its slot holds but for [`Port::ifindex`] and [`Port::memory`], which are 0.
    pub port: Port,
    /// Prefixes and lengths in the source map.
    pub sources: BTreeSet<(Address, u8)>,
    /// Addresses in the router map.
    pub routers: BTreeSet<Address>,
}

impl PortEntry {
    /// A port with nothing but what its map entry says.
    pub const fn new(port: Port) -> Self {
        Self { port, sources: BTreeSet::new(), routers: BTreeSet::new() }
    }
}

/// The data part of a longest-prefix key: interface and address.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct PortAddress {
    ifindex: u32,
    octets: [u8; 16],
}

fn source_key(ifindex: u32, (address, length): (Address, u8)) -> Key<Raw<PortAddress>> {
    let key = SourceKey::prefix(ifindex, address, length);
    Key::new(key.prefix_length, Raw(PortAddress { ifindex, octets: address.octets }))
}

/// The port maps, open for writing.
pub(super) struct PortMaps {
    pub(super) placement: Placement<MapStore>,
    pub(super) sources: Sources,
    pub(super) routers: Routers,
}

impl PortMaps {
    /// Everything the maps hold, by interface index.
    pub(super) fn read(&mut self) -> Result<BTreeMap<u32, PortEntry>> {
        complete(self.placement.read()?, &self.sources, &self.routers)
    }

    /// Removes what belongs to no port: a daemon died between two writes.
    pub(super) fn sweep(&mut self, entries: &BTreeMap<u32, PortEntry>) -> Result<()> {
        let known = |ifindex: u32| entries.contains_key(&ifindex);
        let sources: Vec<_> = self.sources.keys().flatten().filter(|key| !known(key.data().0.ifindex)).collect();
        for key in sources {
            absent(self.sources.remove(&key)).map_err(KernelError::map("remove from", maps::SOURCES))?;
        }
        let routers: Vec<_> = self.routers.keys().flatten().filter(|Raw(key)| !known(key.ifindex)).collect();
        for key in routers {
            absent(self.routers.remove(&key)).map_err(KernelError::map("remove from", maps::ROUTERS))?;
        }
        Ok(())
    }

    /// Writes the difference between `before` and `after`: additions, then the port, then removals, so that at each
    /// moment at least what both allow is allowed and at most what either allows.
    pub(super) fn write(&mut self, ifindex: u32, before: Option<&PortEntry>, after: &PortEntry) -> Result<()> {
        let (no_sources, no_routers) = (BTreeSet::new(), BTreeSet::new());
        let old_sources = before.map_or(&no_sources, |entry| &entry.sources);
        let old_routers = before.map_or(&no_routers, |entry| &entry.routers);
        for source in after.sources.difference(old_sources) {
            self.sources
                .insert(&source_key(ifindex, *source), 1, 0)
                .map_err(KernelError::map("add to", maps::SOURCES))?;
        }
        for router in after.routers.difference(old_routers) {
            let key = Raw(RouterKey::new(ifindex, *router));
            self.routers.insert(key, 1, 0).map_err(KernelError::map("add to", maps::ROUTERS))?;
        }
        if before.is_none_or(|entry| entry.port != after.port) {
            self.placement.place(ifindex, after.port)?;
        }
        for source in old_sources.difference(&after.sources) {
            absent(self.sources.remove(&source_key(ifindex, *source)))
                .map_err(KernelError::map("remove from", maps::SOURCES))?;
        }
        for router in old_routers.difference(&after.routers) {
            absent(self.routers.remove(&Raw(RouterKey::new(ifindex, *router))))
                .map_err(KernelError::map("remove from", maps::ROUTERS))?;
        }
        Ok(())
    }

    /// Forgets a port. Its programs must be gone, or they drop everything.
    pub(super) fn remove(&mut self, ifindex: u32, entry: &PortEntry) -> Result<()> {
        self.placement.remove(ifindex)?;
        for source in &entry.sources {
            absent(self.sources.remove(&source_key(ifindex, *source)))
                .map_err(KernelError::map("remove from", maps::SOURCES))?;
        }
        for router in &entry.routers {
            absent(self.routers.remove(&Raw(RouterKey::new(ifindex, *router))))
                .map_err(KernelError::map("remove from", maps::ROUTERS))?;
        }
        Ok(())
    }
}

/// These ports, and what else the maps hold of them.
pub(super) fn complete(
    ports: BTreeMap<u32, Port>,
    sources: &Sources,
    routers: &Routers,
) -> Result<BTreeMap<u32, PortEntry>> {
    let mut entries: BTreeMap<_, _> =
        ports.into_iter().map(|(ifindex, port)| (ifindex, PortEntry::new(port))).collect();
    for key in sources.keys() {
        let key = key.map_err(KernelError::map("read", maps::SOURCES))?;
        let Raw(PortAddress { ifindex, octets }) = key.data();
        let length = u8::try_from(key.prefix_len().saturating_sub(32));
        if let (Some(entry), Ok(length)) = (entries.get_mut(&ifindex), length) {
            entry.sources.insert((Address { octets }, length));
        }
    }
    for key in routers.keys() {
        let Raw(key) = key.map_err(KernelError::map("read", maps::ROUTERS))?;
        if let Some(entry) = entries.get_mut(&key.ifindex) {
            entry.routers.insert(key.address);
        }
    }
    Ok(entries)
}
