//! The placement against a store that watches what a packet under way could read.

use ipv6_sg_common::abi::{MAX_PORTS, PORT_SLOTS, PortFlags};
use ipv6_sg_common::mac::Mac;
use proptest::prelude::*;

use super::super::indices::{BATCH, SPARES};
use super::*;

/// A kernel that panics when it is told to change what a packet under way may read.
#[derive(Default)]
struct Watched {
    slots: BTreeMap<u32, Port>,
    taps: BTreeMap<u32, u32>,
    /// Every slot that was pointed to since the last grace period, or is.
    readable: BTreeSet<u32>,
    /// Memories, and whether something was written into them.
    memories: BTreeMap<u32, bool>,
    /// Whether there is no room for memories.
    full: bool,
    waits: usize,
}

impl Watched {
    #[track_caller]
    fn assert_unread(&self, index: u32) {
        assert!(!slots(index).iter().any(|slot| self.readable.contains(slot)), "index {index} is still read");
    }

    fn grace(&mut self) {
        self.readable = self.taps.values().copied().collect();
        self.waits += 1;
    }
}

impl Store for Watched {
    fn taps(&self) -> Result<BTreeMap<u32, (u32, Port)>> {
        Ok(self.taps.iter().map(|(ifindex, slot)| (*ifindex, (*slot, self.slots[slot]))).collect())
    }

    fn written(&self) -> Result<BTreeSet<u32>> {
        Ok(self.slots.keys().copied().collect())
    }

    fn furnished(&self) -> Result<BTreeSet<u32>> {
        Ok(self.memories.keys().copied().collect())
    }

    fn write(&mut self, slot: u32, port: Option<Port>) -> Result<()> {
        assert!(slot < PORT_SLOTS);
        assert!(!self.readable.contains(&slot), "slot {slot} is written while it is read");
        match port {
            Some(port) => self.slots.insert(slot, port),
            None => self.slots.remove(&slot),
        };
        Ok(())
    }

    fn point(&mut self, ifindex: u32, slot: u32) -> Result<()> {
        let port = self.slots[&slot];
        assert_eq!((port.ifindex, port.memory), (ifindex, index_of(slot)));
        if self.taps.insert(ifindex, slot).is_none_or(|before| index_of(before) != index_of(slot)) {
            assert_ne!(self.memories.get(&index_of(slot)), Some(&true), "a new port with an old memory");
        }
        self.readable.insert(slot);
        // Packets come at once.
        self.memories.entry(index_of(slot)).and_modify(|dirty| *dirty = true);
        Ok(())
    }

    fn unpoint(&mut self, ifindex: u32) -> Result<()> {
        self.taps.remove(&ifindex);
        Ok(())
    }

    fn wait(&mut self, index: u32) -> Result<()> {
        assert!(self.memories.contains_key(&index), "nothing to wait with");
        self.grace();
        Ok(())
    }

    fn make(&mut self, indices: &[u32]) -> Result<Vec<u32>> {
        assert!((1..=BATCH).contains(&indices.len()));
        if self.full {
            return Err(KernelError::TooManyPorts);
        }
        for index in indices {
            let read = slots(*index).iter().any(|slot| self.readable.contains(slot));
            assert_eq!(self.memories.insert(*index, read), None, "a memory in place of another");
        }
        self.grace();
        Ok(indices.to_vec())
    }

    fn clear(&mut self, index: u32) -> Result<()> {
        self.assert_unread(index);
        self.memories.entry(index).and_modify(|dirty| *dirty = false);
        Ok(())
    }

    fn remove(&mut self, indices: &[u32]) -> Result<Vec<u32>> {
        assert!((1..=BATCH).contains(&indices.len()));
        for index in indices {
            self.assert_unread(*index);
            self.memories.remove(index);
        }
        self.grace();
        Ok(indices.to_vec())
    }
}

fn port(last: u8) -> Port {
    Port::new(Mac { octets: [6, 0, 0, 0, 0, last] }, PortFlags::default())
}

fn empty() -> Placement<Watched> {
    Placement::adopt(Watched::default()).expect("an empty store")
}

fn tidy_up(placement: &mut Placement<Watched>) {
    let steps = (0..10_000).take_while(|_| placement.tidy().expect("a store with room")).count();
    assert!(steps < 10_000, "never tidy");
}

#[derive(Clone, Debug)]
enum Step {
    Place(u32, u8),
    Remove(u32),
    Tidy,
    Full(bool),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u32..40, any::<u8>()).prop_map(|(ifindex, last)| Step::Place(ifindex, last)),
        2 => (1_u32..40).prop_map(Step::Remove),
        2 => Just(Step::Tidy),
        1 => any::<bool>().prop_map(Step::Full),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    // Each start looks at all indices there are.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// [`Watched`] panics if the rule is broken; besides, each interface has the port that it was given last.
    #[test]
    fn what_is_read_is_not_written(steps in prop::collection::vec(step(), 1..200)) {
        let mut placement = empty();
        let mut wanted = BTreeMap::new();
        for step in steps {
            match step {
                Step::Place(ifindex, last) => {
                    // Without room for any memory there is nothing to wait with either.
                    if placement.place(ifindex, port(last)).is_ok() {
                        wanted.insert(ifindex, port(last));
                    } else {
                        prop_assert!(placement.store.full);
                    }
                }
                Step::Remove(ifindex) => {
                    placement.remove(ifindex).expect("removed");
                    wanted.remove(&ifindex);
                }
                Step::Tidy => {
                    prop_assert!(placement.tidy().is_ok() || placement.store.full);
                }
                Step::Full(full) => placement.store.full = full,
                Step::Restart => placement = Placement::adopt(placement.store).expect("readable"),
            }
            prop_assert_eq!(&placement.read().expect("readable"), &wanted);
        }
        placement.store.full = false;
        tidy_up(&mut placement);
        let store = &placement.store;
        let pointed: BTreeSet<_> = store.taps.values().copied().collect();
        prop_assert_eq!(store.slots.keys().copied().collect::<BTreeSet<_>>(), pointed.clone(), "leftovers in slots");
        let used: BTreeSet<_> = pointed.into_iter().map(index_of).collect();
        let spare: Vec<_> = store.memories.iter().filter(|(index, _)| !used.contains(index)).collect();
        prop_assert!(used.iter().all(|index| store.memories.contains_key(index)), "a port without memory");
        prop_assert!(spare.iter().all(|(_, dirty)| !**dirty) && SPARES.contains(&spare.len()), "{:?}", spare);
    }
}

#[test]
fn a_new_port_waits_for_nothing_while_there_are_spares() {
    let mut placement = empty();
    tidy_up(&mut placement);
    let waits = placement.store.waits;
    for ifindex in 1..=u32::try_from(*SPARES.start()).expect("few") {
        placement.place(ifindex, port(1)).expect("placed");
        // Nor does its first change.
        placement.place(ifindex, port(2)).expect("changed");
    }
    assert_eq!(placement.store.waits, waits);
}

#[test]
fn changes_of_many_ports_share_a_wait() {
    let mut placement = empty();
    (1..=100).for_each(|ifindex| placement.place(ifindex, port(1)).expect("placed"));
    tidy_up(&mut placement);
    let waits = placement.store.waits;
    (1..=100).for_each(|ifindex| placement.place(ifindex, port(2)).expect("changed"));
    assert_eq!(placement.store.waits, waits);
    (1..=100).for_each(|ifindex| placement.place(ifindex, port(3)).expect("changed again"));
    assert_eq!(placement.store.waits, waits + 1);
}

/// A memory that is at hand is of the size that was wanted when it was made.
#[test]
fn what_is_at_hand_is_made_anew_when_it_is_outdated() {
    let mut placement = empty();
    tidy_up(&mut placement);
    placement.store.memories.values_mut().for_each(|used| *used = true);
    placement.indices.outdate();
    tidy_up(&mut placement);
    assert!(placement.store.memories.values().all(|used| !used), "{:?}", placement.store.memories);
    placement.place(1, port(1)).expect("placed");
    tidy_up(&mut placement);
    assert_eq!(placement.store.memories.len(), 1 + *SPARES.start());
}

#[test]
fn memory_goes_back_when_ports_go() {
    let mut placement = empty();
    (1..=200).for_each(|ifindex| placement.place(ifindex, port(1)).expect("placed"));
    (1..=200).for_each(|ifindex| placement.remove(ifindex).expect("removed"));
    tidy_up(&mut placement);
    assert_eq!(placement.store.memories.len(), *SPARES.end());
}

#[test]
fn a_host_can_be_full() {
    let mut placement = empty();
    (1..=MAX_PORTS).for_each(|ifindex| placement.place(ifindex, port(1)).expect("placed"));
    let refused = placement.place(MAX_PORTS + 1, port(1)).expect_err("one too many");
    assert!(matches!(refused, KernelError::TooManyPorts));
    placement.remove(7).expect("removed");
    placement.place(MAX_PORTS + 1, port(1)).expect("one went");
}

/// Somebody else let an interface point elsewhere: what is in use is looked at anew.
#[test]
fn a_strangers_change_is_noticed() {
    let mut placement = empty();
    placement.place(1, port(1)).expect("placed");
    placement.place(2, port(2)).expect("placed");
    placement.store.taps.remove(&1);
    assert_eq!(placement.read().expect("readable"), BTreeMap::from([(2, port(2))]));
    placement.place(1, port(3)).expect("placed anew");
    tidy_up(&mut placement);
    assert_eq!(placement.read().expect("readable"), BTreeMap::from([(1, port(3)), (2, port(2))]));
}
