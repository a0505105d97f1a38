//! Reading what is enforced, with or without a daemon: from the pinned maps alone.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{HashMap, LpmTrie, Map, MapData, PerCpuArray, PerCpuHashMap, RingBuf};
use ipv6_sg_common::abi::{Count, Counters, DropEvent, maps};

use super::error::pin_not_permitted;
use super::hook::Hook;
use super::pod::Raw;
use super::ports::{self, PortEntry};
use super::tcx::{self, Ahead};
use super::{KernelError, Pins, Result};

/// The pinned maps, open for reading.
pub struct Inspect {
    pins: Pins,
}

impl Inspect {
    /// # Errors
    /// [`KernelError::NothingPinned`] when there is nothing to read.
    pub fn open(pins: Pins) -> Result<Self> {
        // Whoever may not open them may at best see that they are there.
        match MapData::from_pin(pins.map(maps::PORTS)) {
            Ok(_) if pins.complete() => Ok(Self { pins }),
            Err(error) if pin_not_permitted(&error) => Err(KernelError::NotPermitted),
            _ => Err(KernelError::NothingPinned { path: pins.maps() }),
        }
    }

    /// The ports, by interface index.
    pub fn ports(&self) -> Result<BTreeMap<u32, PortEntry>> {
        let ports: HashMap<_, u32, _> = self.map(maps::PORTS, Map::HashMap)?;
        let sources: LpmTrie<_, _, u32> = self.map(maps::SOURCES, Map::LpmTrie)?;
        let routers: HashMap<_, _, u32> = self.map(maps::ROUTERS, Map::HashMap)?;
        ports::read(&ports, &sources, &routers)
    }

    /// The counters of every port, summed over CPUs, by interface index.
    pub fn counters(&self) -> Result<BTreeMap<u32, Counters>> {
        let counters: PerCpuHashMap<_, u32, Raw<Counters>> = self.map(maps::COUNTERS, Map::PerCpuHashMap)?;
        let mut sums = BTreeMap::new();
        for ifindex in counters.keys() {
            let ifindex = ifindex.map_err(KernelError::map("read", maps::COUNTERS))?;
            if let Some(sum) = counters_of(&counters, ifindex)? {
                sums.insert(ifindex, sum);
            }
        }
        Ok(sums)
    }

    /// Packets dropped on interfaces that carry the program but have no port: none, unless something is wrong.
    pub fn strays(&self) -> Result<Count> {
        let strays: PerCpuArray<_, Raw<Count>> = self.map(maps::STRAYS, Map::PerCpuArray)?;
        let mut sum = Count::default();
        for Raw(count) in strays.get(&0, 0).map_err(KernelError::map("read", maps::STRAYS))?.iter() {
            sum.packets = sum.packets.wrapping_add(count.packets);
            sum.bytes = sum.bytes.wrapping_add(count.bytes);
        }
        Ok(sum)
    }

    /// The stream of drop events. Whoever reads an event takes it: one reader at a time.
    pub fn events(&self) -> Result<Events> {
        self.map(maps::EVENTS, Map::RingBuf).map(Events)
    }

    /// The tc hooks of an interface at which one of our programs runs; `None` where the kernel cannot be asked, which is
    /// before 6.6.
    pub fn attached(interface: &str) -> Option<Vec<Hook>> {
        tcx::running(interface)
    }

    /// Programs of others that an interface's packets meet before ours: what they accept is not judged. None where the
    /// kernel cannot be asked.
    pub fn ahead(&self, ifindex: u32, interface: &str) -> Vec<Ahead> {
        tcx::ahead(&self.pins, ifindex, interface)
    }

    fn map<M: TryFrom<Map, Error = aya::maps::MapError>>(
        &self,
        name: &'static str,
        kind: fn(MapData) -> Map,
    ) -> Result<M> {
        let data = MapData::from_pin(self.pins.map(name)).map_err(|error| {
            if pin_not_permitted(&error) { KernelError::NotPermitted } else { KernelError::map("open", name)(error) }
        })?;
        M::try_from(kind(data)).map_err(KernelError::map("open", name))
    }
}

/// One port's counters, summed over CPUs; `None` when it vanished meanwhile.
fn counters_of(map: &PerCpuHashMap<MapData, u32, Raw<Counters>>, ifindex: u32) -> Result<Option<Counters>> {
    match map.get(&ifindex, 0) {
        Ok(values) => {
            let mut sum = Counters::default();
            for Raw(counters) in values.iter() {
                sum.add(counters);
            }
            Ok(Some(sum))
        }
        Err(aya::maps::MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(KernelError::map("read", maps::COUNTERS)(error)),
    }
}

/// Drop events as they happen.
pub struct Events(RingBuf<MapData>);

impl Events {
    /// The next event that is there already.
    pub fn next_ready(&mut self) -> Option<DropEvent> {
        loop {
            let record = self.0.next()?;
            // A record of another size is another ABI's, and its map would have been refused.
            if let Ok(event) = bytemuck::try_pod_read_unaligned(&record) {
                return Some(event);
            }
        }
    }
}

impl AsFd for Events {
    /// Readable when there are events.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
