//! Which indices are whose, and which may still be in use by a packet under way. Pure bookkeeping.
//!
//! A port has one index. Its memory lies at this index of each map of memories, and in the port map two slots are its
//! own: one is pointed to, and the next change is written into the other. What nothing points to any more is only left
//! alone: a packet that began before may read it until an RCU grace period has passed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use ipv6_sg_common::abi::MAX_PORTS;

/// How many empty memories are kept at hand, so that a new tap need not wait for one: at least, and at most.
pub(super) const SPARES: RangeInclusive<usize> = 8..=32;
/// How many memories are made or removed at once: each takes the kernel a grace period, and several share one.
pub(super) const BATCH: usize = 16;

/// The two slots of an index.
pub(super) const fn slots(index: u32) -> [u32; 2] {
    [2 * index, 2 * index + 1]
}

/// The index that a slot belongs to.
pub(super) const fn index_of(slot: u32) -> u32 {
    slot / 2
}

/// The other slot of the same index.
pub(super) const fn beside(slot: u32) -> u32 {
    slot ^ 1
}

/// Something to do about indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// Wait for a grace period; then [`Indices::waited`].
    Wait,
    /// Empty this slot; then [`Indices::blanked`].
    Blank(u32),
    /// Empty the slots and the memory of this index; then [`Indices::cleaned`].
    Clean(u32),
    /// Make memories; then [`Indices::made`] for each.
    Make(Vec<u32>),
    /// Empty the slots and remove the memories; then [`Indices::removed`] for each.
    Remove(Vec<u32>),
}

/// The indices from 0 to [`MAX_PORTS`], each of which is free, ready, in use, resting or rested.
#[derive(Debug)]
pub(super) struct Indices {
    /// Nobody's, and without memory.
    free: BTreeSet<u32>,
    /// Nobody's, and with an empty memory.
    ready: BTreeSet<u32>,
    /// A port's, and which of its slots is pointed to.
    used: BTreeMap<u32, u32>,
    /// Let go, and a packet under way may still use it.
    resting: BTreeSet<u32>,
    /// Let go, and no packet uses it any more: to be cleaned.
    rested: BTreeSet<u32>,
    /// Those with memory.
    furnished: BTreeSet<u32>,
    /// Of those in use: a packet under way may read the slot that is not pointed to.
    changed: BTreeSet<u32>,
    /// Of those in use: none does, and it still holds what the port was before.
    stale: BTreeSet<u32>,
}

impl Indices {
    /// What another process left: these slots are pointed to, these hold something, these indices have memory. When it
    /// wrote last nobody knows.
    pub(super) fn adopt(pointed: impl Iterator<Item = u32>, written: &BTreeSet<u32>, furnished: BTreeSet<u32>) -> Self {
        let used: BTreeMap<_, _> = pointed.map(|slot| (index_of(slot), slot)).collect();
        let touched = written.iter().map(|slot| index_of(*slot)).chain(furnished.iter().copied());
        let resting: BTreeSet<_> = touched.filter(|index| !used.contains_key(index)).collect();
        Self {
            free: (0..MAX_PORTS).filter(|index| !used.contains_key(index) && !resting.contains(index)).collect(),
            ready: BTreeSet::new(),
            changed: used.keys().copied().collect(),
            used,
            resting,
            rested: BTreeSet::new(),
            furnished,
            stale: BTreeSet::new(),
        }
    }

    /// An index for a new port: a ready one, or else one without memory; `None` when all are in use.
    pub(super) fn take(&mut self) -> Option<u32> {
        let index = self.ready.pop_first().or_else(|| self.free.pop_first())?;
        self.used.insert(index, slots(index)[0]);
        Some(index)
    }

    /// Memories are made in another way from now on: those at hand are to be made anew.
    pub(super) fn outdate(&mut self) {
        self.rested.append(&mut self.ready);
    }

    /// Nothing points to this index any more.
    pub(super) fn let_go(&mut self, index: u32) {
        if self.used.remove(&index).is_some() {
            self.changed.remove(&index);
            self.stale.remove(&index);
            self.resting.insert(index);
        }
    }

    /// Whether the slot beside this one, which is pointed to, may be written.
    pub(super) fn changeable(&self, slot: u32) -> bool {
        !self.changed.contains(&index_of(slot))
    }

    /// This slot of an index in use is pointed to from now on.
    pub(super) fn pointed(&mut self, slot: u32) {
        let index = index_of(slot);
        if self.used.insert(index, slot) != Some(slot) {
            self.stale.remove(&index);
            self.changed.insert(index);
        }
    }

    /// A grace period has passed since everything that was told so far.
    pub(super) fn waited(&mut self) {
        self.rested.append(&mut self.resting);
        self.stale.append(&mut self.changed);
    }

    /// This slot, which is not pointed to, holds nothing.
    pub(super) fn blanked(&mut self, slot: u32) {
        self.stale.remove(&index_of(slot));
    }

    /// The index is as good as new.
    pub(super) fn cleaned(&mut self, index: u32) {
        if self.rested.remove(&index) {
            let to = if self.furnished.contains(&index) { &mut self.ready } else { &mut self.free };
            to.insert(index);
        }
    }

    /// The index has an empty memory.
    pub(super) fn made(&mut self, index: u32) {
        self.furnished.insert(index);
        if self.free.remove(&index) {
            self.ready.insert(index);
        }
    }

    /// The index has no memory any more.
    pub(super) fn removed(&mut self, index: u32) {
        self.furnished.remove(&index);
        if self.rested.remove(&index) {
            self.free.insert(index);
        }
    }

    /// An index with memory, if there is one.
    pub(super) fn furnished(&self) -> Option<u32> {
        self.furnished.first().copied()
    }

    /// What brings about a ready index soonest; `None` when there is one, or can be none.
    pub(super) fn to_replenish(&self) -> Option<Chore> {
        if !self.ready.is_empty() {
            None
        } else if let Some(index) = self.rested.intersection(&self.furnished).next() {
            Some(Chore::Clean(*index))
        } else if !self.resting.is_empty() {
            Some(Chore::Wait)
        } else {
            self.to_make(BATCH)
        }
    }

    /// What to do when there is time; `None` when everything is in order.
    pub(super) fn to_tidy(&self) -> Option<Chore> {
        if !self.resting.is_empty() || !self.changed.is_empty() {
            return Some(Chore::Wait);
        }
        if let Some(slot) = self.stale.first().and_then(|index| self.used.get(index)) {
            return Some(Chore::Blank(beside(*slot)));
        }
        if let Some(index) = self.rested.first() {
            return Some(match self.ready.len() < *SPARES.end() {
                true => Chore::Clean(*index),
                false => Chore::Remove(self.rested.iter().copied().take(BATCH).collect()),
            });
        }
        let lacking: Vec<_> = self.used.keys().filter(|index| !self.furnished.contains(index)).copied().collect();
        if !lacking.is_empty() {
            return Some(Chore::Make(lacking.into_iter().take(BATCH).collect()));
        }
        self.to_make(SPARES.start().saturating_sub(self.ready.len()))
    }

    /// Memories to make at free indices, so many at most; `None` when that is none.
    pub(super) fn to_make(&self, most: usize) -> Option<Chore> {
        let free: Vec<_> = self.free.iter().copied().take(most).collect();
        if free.is_empty() { None } else { Some(Chore::Make(free)) }
    }
}
