//! What the maps hold for a port, and the fewest writes from one state to another.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::lpm_trie::Key;
use aya::maps::{HashMap, LpmTrie, MapData, PerCpuHashMap, PerCpuValues};
use aya::util::nr_cpus;
use ipv6_sg_common::abi::{Counters, Port, RouterKey, SourceKey, maps};
use ipv6_sg_common::address::Address;

use super::fragments::{Maker, Outer};
use super::pod::Raw;
use super::{KernelError, Result};

/// A port as the maps hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEntry {
    /// The entry of the port map.
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

/// The port maps, open for writing, and a copy of what they hold.
pub(super) struct PortMaps {
    pub(super) ports: HashMap<MapData, u32, Raw<Port>>,
    pub(super) sources: LpmTrie<MapData, Raw<PortAddress>, u32>,
    pub(super) routers: HashMap<MapData, Raw<RouterKey>, u32>,
    pub(super) counters: PerCpuHashMap<MapData, u32, Raw<Counters>>,
    pub(super) fragments: Outer,
}

impl PortMaps {
    /// Everything the maps hold, by interface index.
    pub(super) fn read(&self) -> Result<BTreeMap<u32, PortEntry>> {
        read(&self.ports, &self.sources, &self.routers)
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
        let counters: Vec<_> = self.counters.keys().flatten().filter(|ifindex| !known(*ifindex)).collect();
        for ifindex in counters {
            absent(self.counters.remove(&ifindex)).map_err(KernelError::map("remove from", maps::COUNTERS))?;
        }
        let fragments: Vec<_> = self.fragments.keys().flatten().filter(|ifindex| !known(*ifindex)).collect();
        for ifindex in fragments {
            absent(self.fragments.remove(&ifindex)).map_err(KernelError::map("remove from", maps::FRAGMENTS))?;
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
            self.ports.insert(ifindex, Raw(after.port), 0).map_err(KernelError::map("add to", maps::PORTS))?;
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

    /// Makes room for the port's counters; what is there already stays.
    pub(super) fn add_counters(&mut self, ifindex: u32) -> Result<()> {
        let cpus = nr_cpus().map_err(|(_, error)| KernelError::Map {
            action: "add to",
            map: maps::COUNTERS,
            reason: error.to_string(),
        })?;
        let zero = vec![Raw(Counters::default()); cpus];
        let refused = KernelError::map("add to", maps::COUNTERS);
        let values = PerCpuValues::try_from(zero).map_err(|error| KernelError::Map {
            action: "add to",
            map: maps::COUNTERS,
            reason: error.to_string(),
        })?;
        match self.counters.insert(ifindex, values, u64::from(BPF_NOEXIST)) {
            Err(error) if super::error::caused_by(&error, libc::EEXIST) => Ok(()),
            result => result.map_err(refused),
        }
    }

    /// Gives the port a memory of fragments, unless it has one.
    ///
    /// Takes as long as the kernel needs to be sure that nobody uses the old one: tens of milliseconds.
    pub(super) fn add_fragments(&mut self, ifindex: u32, maker: &Maker) -> Result<()> {
        match self.fragments.insert(ifindex, &maker.make()?, u64::from(BPF_NOEXIST)) {
            Err(error) if super::error::caused_by(&error, libc::EEXIST) => Ok(()),
            result => result.map_err(KernelError::map("add to", maps::FRAGMENTS)),
        }
    }

    /// Forgets a port. Its programs must be gone, or they drop everything.
    pub(super) fn remove(&mut self, ifindex: u32, entry: &PortEntry) -> Result<()> {
        absent(self.ports.remove(&ifindex)).map_err(KernelError::map("remove from", maps::PORTS))?;
        for source in &entry.sources {
            absent(self.sources.remove(&source_key(ifindex, *source)))
                .map_err(KernelError::map("remove from", maps::SOURCES))?;
        }
        for router in &entry.routers {
            absent(self.routers.remove(&Raw(RouterKey::new(ifindex, *router))))
                .map_err(KernelError::map("remove from", maps::ROUTERS))?;
        }
        absent(self.counters.remove(&ifindex)).map_err(KernelError::map("remove from", maps::COUNTERS))?;
        absent(self.fragments.remove(&ifindex)).map_err(KernelError::map("remove from", maps::FRAGMENTS))
    }
}

/// Everything these maps hold, by interface index.
pub(super) fn read(
    ports: &HashMap<MapData, u32, Raw<Port>>,
    sources: &LpmTrie<MapData, Raw<PortAddress>, u32>,
    routers: &HashMap<MapData, Raw<RouterKey>, u32>,
) -> Result<BTreeMap<u32, PortEntry>> {
    let mut entries = BTreeMap::new();
    for item in ports.iter() {
        let (ifindex, Raw(port)) = item.map_err(KernelError::map("read", maps::PORTS))?;
        entries.insert(ifindex, PortEntry::new(port));
    }
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

/// The kernel's flag for "only if it is not there".
const BPF_NOEXIST: u32 = 1;

/// Removing what is not there is no failure.
fn absent(result: std::result::Result<(), aya::maps::MapError>) -> std::result::Result<(), aya::maps::MapError> {
    match result {
        Err(error) if super::error::caused_by(&error, libc::ENOENT) => Ok(()),
        result => result,
    }
}
