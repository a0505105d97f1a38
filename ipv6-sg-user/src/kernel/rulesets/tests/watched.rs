//! Tables that look, after each write, at what a packet would find, and stop when a number is used again too early.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use ipv6_sg_common::abi::RulesetId;
use ipv6_sg_common::address::Address;

use super::super::{Peer, Tables};
use crate::compile::{Allowance, Prefix, Ruleset, first};
use crate::kernel::{KernelError, Result};

/// Who looks at a table meanwhile: what its packets found before, and what they are to find.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) id: RulesetId,
    pub(super) before: Arc<Ruleset>,
    pub(super) after: Arc<Ruleset>,
}

#[derive(Default)]
pub(super) struct Kernel {
    pub(super) peers: BTreeMap<RulesetId, BTreeMap<Prefix, u32>>,
    pub(super) classes: BTreeMap<u32, Allowance>,
    /// Numbers that were given up: a packet may hold them still.
    pub(super) gone: (BTreeSet<RulesetId>, BTreeSet<u32>),
    pub(super) readers: Vec<Reader>,
    pub(super) renewed: usize,
    pub(super) generation: u32,
    /// How many peers there can be.
    pub(super) room: Option<usize>,
    pub(super) writes: usize,
}

#[derive(Clone, Default)]
pub(super) struct Watched(pub(super) Rc<RefCell<Kernel>>);

impl Kernel {
    pub(super) fn found(&self, id: RulesetId, address: Address) -> Option<&Allowance> {
        let peers = self.peers.get(&id)?;
        let entries = (0..=128).rev().filter_map(|length| peers.get(&(first(address, length), length)));
        entries.map(|class| &self.classes[class]).next()
    }

    pub(super) fn look(&mut self) {
        self.writes += 1;
        for Reader { id, before, after } in &self.readers {
            for address in addresses() {
                let found = self.found(*id, address);
                let (old, new) = (before.lookup(address), after.lookup(address));
                assert!(found == old || found == new, "{address} finds {found:?}, not {old:?} nor {new:?}");
            }
        }
    }
}

impl Tables for Watched {
    fn peers(&self) -> Result<Vec<Peer>> {
        let peers = &self.0.borrow().peers;
        let of = |(ruleset, peers): (&RulesetId, &BTreeMap<Prefix, u32>)| {
            let ruleset = *ruleset;
            peers.clone().into_iter().map(move |(prefix, class)| Peer { ruleset, prefix, class })
        };
        Ok(peers.iter().flat_map(of).collect())
    }

    fn classes(&self) -> Result<BTreeMap<u32, Allowance>> {
        Ok(self.0.borrow().classes.clone())
    }

    fn put_peer(&mut self, ruleset: RulesetId, peer: Prefix, class: u32) -> Result<()> {
        let mut kernel = self.0.borrow_mut();
        assert!(kernel.classes.contains_key(&class), "class {class} means nothing yet");
        assert!(!kernel.gone.0.contains(&ruleset), "ruleset {ruleset:?} is used again");
        let known = kernel.peers.get(&ruleset).is_some_and(|peers| peers.contains_key(&peer));
        let full = kernel.room.is_some_and(|room| kernel.peers.values().map(BTreeMap::len).sum::<usize>() >= room);
        if full && !known {
            return Err(KernelError::Map { action: "add to", map: "peers", reason: "no room".to_owned() });
        }
        kernel.peers.entry(ruleset).or_default().insert(peer, class);
        kernel.look();
        Ok(())
    }

    fn remove_peer(&mut self, ruleset: RulesetId, peer: Prefix) -> Result<()> {
        let mut kernel = self.0.borrow_mut();
        let peers = kernel.peers.get_mut(&ruleset).unwrap();
        peers.remove(&peer).unwrap();
        if peers.is_empty() {
            kernel.peers.remove(&ruleset);
            kernel.gone.0.insert(ruleset);
        }
        kernel.look();
        Ok(())
    }

    fn put_class(&mut self, class: u32, allowance: &Allowance) -> Result<()> {
        let mut kernel = self.0.borrow_mut();
        assert!(!kernel.gone.1.contains(&class) && !kernel.classes.contains_key(&class), "class {class} is used again");
        kernel.classes.insert(class, allowance.clone());
        kernel.look();
        Ok(())
    }

    fn remove_class(&mut self, class: u32, allowance: &Allowance) -> Result<()> {
        let mut kernel = self.0.borrow_mut();
        assert_eq!(kernel.classes.remove(&class).as_ref(), Some(allowance));
        assert!(!kernel.peers.values().any(|peers| peers.values().any(|used| *used == class)));
        kernel.gone.1.insert(class);
        kernel.look();
        Ok(())
    }

    fn generation(&self) -> Result<u32> {
        Ok(self.0.borrow().generation)
    }

    fn renew(&mut self, generation: u32) -> Result<()> {
        let mut kernel = self.0.borrow_mut();
        kernel.renewed += 1;
        kernel.generation = generation;
        Ok(())
    }
}

/// Few addresses under nested prefixes.
pub(super) fn addresses() -> impl Iterator<Item = Address> {
    (0..8_u128).map(|low| Address::from_ip((low << 125 | 1).into()))
}
