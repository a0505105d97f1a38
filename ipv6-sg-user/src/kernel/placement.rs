//! Where in the maps a port lies, and when what it leaves may be used again.
//!
//! The one rule: what a packet under way may read is not written. How that is done in the kernel is [`Store`]'s.

use std::collections::{BTreeMap, BTreeSet};

use ipv6_sg_common::abi::Port;

use super::Result;
use super::error::KernelError;
use super::indices::{Chore, Indices, beside, index_of, slots};
use super::store::MapStore;

/// What the kernel holds. A trait so that the order of what is done to it can be tested without one.
pub(super) trait Store {
    /// The slot that each interface points to, and the port in it, where it is that interface's.
    fn taps(&self) -> Result<BTreeMap<u32, (u32, Port)>>;
    /// The slots that hold something.
    fn written(&self) -> Result<BTreeSet<u32>>;
    /// The indices that have all kinds of memory.
    fn furnished(&self) -> Result<BTreeSet<u32>>;
    /// Writes a slot; `None` empties it.
    fn write(&mut self, slot: u32, port: Option<Port>) -> Result<()>;
    /// Points an interface to a slot.
    fn point(&mut self, ifindex: u32, slot: u32) -> Result<()>;
    /// Lets an interface point to nothing.
    fn unpoint(&mut self, ifindex: u32) -> Result<()>;
    /// Waits for a grace period by means of the memory at this index.
    fn wait(&mut self, index: u32) -> Result<()>;
    /// Makes empty memories, and says which. An error only when there is none.
    fn make(&mut self, indices: &[u32]) -> Result<Vec<u32>>;
    /// Empties the memory at an index.
    fn clear(&mut self, index: u32) -> Result<()>;
    /// Removes memories, and says which. An error only when none was.
    fn remove(&mut self, indices: &[u32]) -> Result<Vec<u32>>;
}

impl Placement<MapStore> {
    /// Memories of ports that are new from now on hold so many flows.
    pub(super) fn track(&mut self, flows: u32) {
        let [_, _, tracked] = &mut self.store.kinds;
        if tracked.resize(flows) {
            self.indices.outdate();
        }
    }
}

/// The ports' places.
pub(super) struct Placement<S> {
    store: S,
    indices: Indices,
    /// The slot that each interface points to.
    slots: BTreeMap<u32, u32>,
}

impl<S: Store> Placement<S> {
    /// Takes over what the store holds.
    pub(super) fn adopt(store: S) -> Result<Self> {
        let slots = slots_of(&store.taps()?);
        let indices = Indices::adopt(slots.values().copied(), &store.written()?, store.furnished()?);
        Ok(Self { store, indices, slots })
    }

    /// The ports that the store holds, by interface. Somebody else may have changed it.
    pub(super) fn read(&mut self) -> Result<BTreeMap<u32, Port>> {
        let taps = self.store.taps()?;
        let slots = slots_of(&taps);
        if slots != self.slots {
            self.indices = Indices::adopt(slots.values().copied(), &self.store.written()?, self.store.furnished()?);
            self.slots = slots;
        }
        Ok(taps.into_iter().map(|(ifindex, (_, port))| (ifindex, port.placed(0, 0))).collect())
    }

    /// Lets an interface have this port from now on, in one step.
    pub(super) fn place(&mut self, ifindex: u32, port: Port) -> Result<()> {
        let slot = match self.slots.get(&ifindex) {
            Some(slot) => {
                let slot = *slot;
                if !self.indices.changeable(slot) {
                    self.wait()?;
                }
                self.put(ifindex, port, beside(slot))?;
                beside(slot)
            }
            None => {
                let index = self.take()?;
                let [slot, _] = slots(index);
                self.put(ifindex, port, slot).inspect_err(|_| self.indices.let_go(index))?;
                slot
            }
        };
        self.slots.insert(ifindex, slot);
        self.indices.pointed(slot);
        Ok(())
    }

    fn put(&mut self, ifindex: u32, port: Port, slot: u32) -> Result<()> {
        self.store.write(slot, Some(port.placed(ifindex, index_of(slot))))?;
        self.store.point(ifindex, slot)
    }

    /// Lets an interface have no port any more.
    pub(super) fn remove(&mut self, ifindex: u32) -> Result<()> {
        self.store.unpoint(ifindex)?;
        if let Some(slot) = self.slots.remove(&ifindex) {
            self.indices.let_go(index_of(slot));
        }
        Ok(())
    }

    /// Does one of the things that take the kernel long and that nobody waits for. `false` when nothing is left to do.
    pub(super) fn tidy(&mut self) -> Result<bool> {
        let Some(chore) = self.indices.to_tidy() else { return Ok(false) };
        self.perform(chore)?;
        Ok(true)
    }

    /// An index for a new port. Without memory when the kernel has no room for it: the port is guarded all the same, and
    /// [`Self::tidy`] tries again.
    fn take(&mut self) -> Result<u32> {
        while let Some(chore) = self.indices.to_replenish() {
            if let Err(error) = self.perform(chore) {
                tracing::error!(
                    "a new port is guarded, and nothing counted of it and no flow remembered until there is room: {error}"
                );
                break;
            }
        }
        self.indices.take().ok_or(KernelError::TooManyPorts)
    }

    fn perform(&mut self, chore: Chore) -> Result<()> {
        match chore {
            Chore::Wait => self.wait()?,
            Chore::Blank(slot) => {
                self.store.write(slot, None)?;
                self.indices.blanked(slot);
            }
            Chore::Clean(index) => {
                self.empty(index)?;
                self.store.clear(index)?;
                self.indices.cleaned(index);
            }
            Chore::Make(indices) => {
                for index in self.store.make(&indices)? {
                    self.indices.made(index);
                }
            }
            Chore::Remove(indices) => {
                for index in &indices {
                    self.empty(*index)?;
                }
                for index in self.store.remove(&indices)? {
                    self.indices.removed(index);
                }
            }
        }
        Ok(())
    }

    fn empty(&mut self, index: u32) -> Result<()> {
        slots(index).into_iter().try_for_each(|slot| self.store.write(slot, None))
    }

    /// Waits for a grace period.
    pub(super) fn wait(&mut self) -> Result<()> {
        match self.indices.furnished() {
            Some(index) => self.store.wait(index)?,
            // The kernel waits as long when one is made.
            None => self.perform(self.indices.to_make(1).ok_or(KernelError::TooManyPorts)?)?,
        }
        self.indices.waited();
        Ok(())
    }
}

fn slots_of(taps: &BTreeMap<u32, (u32, Port)>) -> BTreeMap<u32, u32> {
    taps.iter().map(|(ifindex, (slot, _))| (*ifindex, *slot)).collect()
}

#[cfg(test)]
mod tests;
