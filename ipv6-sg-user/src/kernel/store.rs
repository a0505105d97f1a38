//! The maps that ports lie in, as the kernel holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::thread::{self, ScopedJoinHandle};

use aya::maps::{Array, HashMap, MapData, MapError};
use ipv6_sg_common::abi::{EventBudget, MAX_PORTS, PORT_SLOTS, Port, maps};

use super::error::absent;
use super::nested::{KINDS, Nested};
use super::placement::Store;
use super::pod::Raw;
use super::{KernelError, Result};

/// The slot of an interface.
pub(super) type Taps = HashMap<MapData, u32, u32>;
/// The port in a slot.
pub(super) type Slots = Array<MapData, Raw<Port>>;

/// The maps, open for writing.
pub(super) struct MapStore {
    pub(super) taps: Taps,
    pub(super) slots: Slots,
    pub(super) budgets: Array<MapData, Raw<EventBudget>>,
    pub(super) kinds: [Nested; KINDS.len()],
}

impl Store for MapStore {
    fn taps(&self) -> Result<BTreeMap<u32, (u32, Port)>> {
        read(&self.taps, &self.slots)
    }

    fn written(&self) -> Result<BTreeSet<u32>> {
        let mut written = BTreeSet::new();
        for (slot, port) in (0..PORT_SLOTS).zip(self.slots.iter()) {
            let Raw(port) = port.map_err(KernelError::map("read", maps::PORTS))?;
            if port.ifindex != 0 {
                written.insert(slot);
            }
        }
        Ok(written)
    }

    fn furnished(&self) -> Result<BTreeSet<u32>> {
        let mut furnished = (0..MAX_PORTS).collect::<Vec<_>>();
        for kind in &self.kinds {
            furnished = kind.present(&furnished)?;
        }
        Ok(furnished.into_iter().collect())
    }

    fn write(&mut self, slot: u32, port: Option<Port>) -> Result<()> {
        let port = Raw(port.unwrap_or_else(bytemuck::Zeroable::zeroed));
        self.slots.set(slot, port, 0).map_err(KernelError::map("write to", maps::PORTS))
    }

    fn point(&mut self, ifindex: u32, slot: u32) -> Result<()> {
        self.taps.insert(ifindex, slot, 0).map_err(KernelError::map("add to", maps::TAPS))
    }

    fn unpoint(&mut self, ifindex: u32) -> Result<()> {
        absent(self.taps.remove(&ifindex)).map_err(KernelError::map("remove from", maps::TAPS))
    }

    fn wait(&mut self, index: u32) -> Result<()> {
        let [counters, ..] = &self.kinds;
        counters.wait(index)
    }

    fn make(&mut self, indices: &[u32]) -> Result<Vec<u32>> {
        self.at_once(indices, Nested::make)
    }

    fn clear(&mut self, index: u32) -> Result<()> {
        self.kinds.iter().try_for_each(|kind| kind.clear(index))?;
        self.refill(index)
    }

    fn remove(&mut self, indices: &[u32]) -> Result<Vec<u32>> {
        indices.iter().try_for_each(|index| self.refill(*index))?;
        self.at_once(indices, Nested::remove)
    }
}

impl MapStore {
    /// Fills the budget of events at an index.
    fn refill(&mut self, index: u32) -> Result<()> {
        let full = Raw(EventBudget::default());
        self.budgets.set(index, full, 0).map_err(KernelError::map("write to", maps::BUDGETS))
    }

    /// Does the same to all kinds of memory at several indices, and says at which it worked. Each index has a thread of
    /// its own: they all wait for the same grace periods.
    fn at_once(&self, indices: &[u32], act: fn(&Nested, u32) -> Result<()>) -> Result<Vec<u32>> {
        let kinds = &self.kinds;
        let all = move |index: u32| kinds.iter().try_for_each(|kind| act(kind, index)).map(|()| index);
        let results: Vec<Result<u32>> = thread::scope(|scope| {
            let start = |index: &u32| {
                let index = *index;
                (index, thread::Builder::new().spawn_scoped(scope, move || all(index)))
            };
            let threads: Vec<_> = indices.iter().map(start).collect();
            let end = |(index, thread): (u32, io::Result<ScopedJoinHandle<'_, Result<u32>>>)| {
                // A host that has no thread for it can wait for one after the other.
                thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| all(index))
            };
            threads.into_iter().map(end).collect()
        });
        let (done, failed): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        match failed.into_iter().find_map(Result::err) {
            Some(error) if done.is_empty() => Err(error),
            _ => Ok(done.into_iter().flatten().collect()),
        }
    }
}

/// Each interface's slot and the port in it, where that is the interface's own.
pub(super) fn read(taps: &Taps, slots: &Slots) -> Result<BTreeMap<u32, (u32, Port)>> {
    let mut ports = BTreeMap::new();
    for ifindex in taps.keys() {
        let ifindex = ifindex.map_err(KernelError::map("read", maps::TAPS))?;
        if let Some((slot, port)) = pointed(taps, slots, ifindex)? {
            ports.insert(ifindex, (slot, port));
        }
    }
    Ok(ports)
}

fn pointed(taps: &Taps, slots: &Slots, ifindex: u32) -> Result<Option<(u32, Port)>> {
    let slot = || match taps.get(&ifindex, 0) {
        Ok(slot) if slot < PORT_SLOTS => Ok(Some(slot)),
        Ok(_) | Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(KernelError::map("read", maps::TAPS)(error)),
    };
    let mut before = slot()?;
    while let Some(at) = before {
        let Raw(port) = slots.get(&at, 0).map_err(KernelError::map("read", maps::PORTS))?;
        let after = slot()?;
        // Only a slot that is not pointed to is written, so what is still pointed to was read whole.
        if before == after {
            return Ok((port.ifindex == ifindex).then_some((at, port)));
        }
        before = after;
    }
    Ok(None)
}
