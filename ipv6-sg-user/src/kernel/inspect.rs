//! Reading what is enforced, with or without a daemon: from the pinned maps alone.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{Array, ArrayOfMaps, Map, MapData, PerCpuArray, RingBuf};
use ipv6_sg_common::abi::{Count, Counters, DropEvent, Policy, Port, PortFlags, maps};

use super::enforced::{self, EnforcedRules, RuleUse};
use super::error::{not_permitted, pin_not_permitted};
use super::flows::PortFlows;
use super::hook::Hook;
use super::pod::Raw;
use super::ports::{PortEntry, complete};
use super::tcx::{self, Ahead};
use super::{KernelError, Pins, Result};
use super::{nested, store};

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
        let ports = self.placed()?.into_iter().map(|(ifindex, port)| (ifindex, port.placed(0, 0))).collect();
        complete(ports, &self.map(maps::SOURCES, Map::LpmTrie)?, &self.map(maps::ROUTERS, Map::HashMap)?)
    }

    /// The counters of every port, summed over CPUs, by interface index.
    pub fn counters(&self) -> Result<BTreeMap<u32, Counters>> {
        let outer: ArrayOfMaps<_> = self.map(maps::COUNTERS, Map::ArrayOfMaps)?;
        self.placed()?.into_iter().map(|(ifindex, port)| Ok((ifindex, counters_of(&outer, port.memory)?))).collect()
    }

    /// The rules of every port that has some, by interface index.
    pub fn rules(&self) -> Result<BTreeMap<u32, EnforcedRules>> {
        enforced::rules(
            &self.placed()?,
            &self.map(maps::PEERS, Map::LpmTrie)?,
            &self.map(maps::SERVICES, Map::LpmTrie)?,
        )
    }

    /// How much of the maps of rules is in use. Reads all of them, which takes most of a second for a million peers; the
    /// daemon [knows](super::Guard::rule_use).
    pub fn rule_use(&self) -> Result<RuleUse> {
        let (peers, services) = (self.map(maps::PEERS, Map::LpmTrie)?, self.map(maps::SERVICES, Map::LpmTrie)?);
        enforced::in_use(self.generation()?, &peers, &services)
    }

    /// The generation of the rules: flows of another one are put to them when their next packet comes.
    pub fn generation(&self) -> Result<u32> {
        let policy: Array<_, Raw<Policy>> = self.map(maps::POLICY, Map::Array)?;
        let Raw(Policy { generation }) = policy.get(&0, 0).map_err(KernelError::map("read", maps::POLICY))?;
        Ok(generation)
    }

    /// The memories of flows of these ports, by interface index, opened one after the other; none where no rules apply
    /// and so nothing is remembered.
    pub fn flows(
        &self,
        wanted: impl Fn(u32) -> bool,
    ) -> Result<impl Iterator<Item = Result<(u32, Option<PortFlows>)>>> {
        let outer: ArrayOfMaps<_> = self.map(maps::FLOWS, Map::ArrayOfMaps)?;
        let ports = self.placed()?.into_iter().filter(move |(ifindex, _)| wanted(*ifindex));
        Ok(ports.filter_map(move |(ifindex, port)| {
            if !port.flags.has(PortFlags::HAS_RULES) {
                return Some(Ok((ifindex, None)));
            }
            // A port without a memory is one that has gone since.
            let flows = PortFlows::open(&outer, port.memory).transpose()?;
            Some(flows.map(|flows| (ifindex, Some(flows))))
        }))
    }

    /// The ports as they lie in their slots.
    fn placed(&self) -> Result<BTreeMap<u32, Port>> {
        let ports = store::read(&self.map(maps::TAPS, Map::HashMap)?, &self.map(maps::PORTS, Map::Array)?)?;
        Ok(ports.into_iter().map(|(ifindex, (_, port))| (ifindex, port)).collect())
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

/// The counters of one memory, summed over CPUs; nothing was counted without one.
fn counters_of(outer: &ArrayOfMaps<MapData>, memory: u32) -> Result<Counters> {
    let refused = |error| {
        // Opening an inner map takes more than opening a pin.
        if not_permitted(&error) { KernelError::NotPermitted } else { KernelError::map("read", maps::COUNTERS)(error) }
    };
    let mut sum = Counters::default();
    let Some(data) = nested::at(outer, memory).map_err(refused)? else { return Ok(sum) };
    let counters = PerCpuArray::<_, Raw<Counters>>::try_from(Map::PerCpuArray(data)).map_err(refused)?;
    for Raw(counters) in counters.get(&0, 0).map_err(refused)?.iter() {
        sum.add(counters);
    }
    Ok(sum)
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
