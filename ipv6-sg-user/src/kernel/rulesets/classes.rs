//! The classes of peers: which number stands for which allowance in the tables. Bookkeeping; writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::next::Next;
use super::tables::Peer;
use crate::compile::{Allowance, Ruleset};

/// The classes in the tables.
pub(super) struct Classes {
    allowances: BTreeMap<u32, Arc<Allowance>>,
    /// Of two classes that allow the same either will do.
    numbers: HashMap<Arc<Allowance>, u32>,
    /// Those that peers are in and that say nothing: somebody damaged the tables.
    dangling: BTreeSet<u32>,
    /// Of all allowances.
    services: usize,
    next: Next,
}

impl Classes {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            allowances: BTreeMap::new(),
            numbers: HashMap::new(),
            dangling: BTreeSet::new(),
            services: 0,
            next: Next::after(0),
        }
    }

    /// These are the classes in the tables, and peers are in those that are `used`.
    pub(super) fn found(&mut self, classes: BTreeMap<u32, Allowance>, used: impl Iterator<Item = u32>) {
        self.allowances = classes.into_iter().map(|(class, allowance)| (class, Arc::new(allowance))).collect();
        self.numbers = self.allowances.iter().map(|(class, allowance)| (Arc::clone(allowance), *class)).collect();
        self.services = self.allowances.values().map(|allowance| allowance.services().count()).sum();
        self.dangling = used.filter(|class| !self.allowances.contains_key(class)).collect();
        let last = self.allowances.keys().next_back().max(self.dangling.last());
        self.next.pass(last.copied().unwrap_or(0));
    }

    /// What these peers of one ruleset may.
    pub(super) fn ruleset(&self, peers: &[Peer]) -> Ruleset {
        let nothing = Arc::default();
        let allowed = |class| Arc::clone(self.allowances.get(class).unwrap_or(&nothing));
        Ruleset::new(peers.iter().map(|peer| (peer.prefix, allowed(&peer.class))))
    }

    /// Whether these peers of one ruleset, which are in their order, may just what this ruleset says.
    pub(super) fn say(&self, peers: &[Peer], ruleset: &Ruleset) -> bool {
        // Thousands of members may the same: one comparison for all.
        let mut same: Option<(u32, &Arc<Allowance>)> = None;
        let mut allowed = |class, wanted| {
            let known = same.is_some_and(|(a, b)| a == class && Arc::ptr_eq(b, wanted));
            same = Some((class, wanted));
            known || self.allowances.get(&class).is_some_and(|allowance| allowance == wanted)
        };
        let entries = ruleset.entries();
        let mut pairs = peers.iter().zip(entries);
        peers.len() == entries.len()
            && pairs.all(|(peer, (prefix, wanted))| peer.prefix == *prefix && allowed(peer.class, wanted))
    }

    /// How many services they have in the tables, all together.
    pub(super) const fn services(&self) -> usize {
        self.services
    }

    /// The class that may just this.
    pub(super) fn of(&self, allowance: &Allowance) -> Option<u32> {
        self.numbers.get(allowance).copied()
    }

    /// A number for a new class: nobody is in it.
    pub(super) fn free(&mut self) -> u32 {
        let Self { allowances, dangling, next, .. } = self;
        next.take(|class| dangling.contains(&class) || allowances.contains_key(&class))
    }

    /// The tables have this class from now on.
    pub(super) fn insert(&mut self, class: u32, allowance: &Arc<Allowance>) {
        self.services += allowance.services().count();
        self.allowances.insert(class, Arc::clone(allowance));
        self.numbers.insert(Arc::clone(allowance), class);
    }

    /// Nobody is to be put in this class any more. What it may, if it says anything.
    pub(super) fn remove(&mut self, class: u32) -> Option<Arc<Allowance>> {
        let allowance = self.allowances.remove(&class)?;
        self.services = self.services.saturating_sub(allowance.services().count());
        if self.of(&allowance) == Some(class) {
            self.numbers.remove(&allowance);
        }
        Some(allowance)
    }

    /// The classes of which none of these rulesets speaks.
    pub(super) fn unused<'a>(&self, rulesets: impl Iterator<Item = &'a Arc<Ruleset>>) -> Vec<u32> {
        let mut used = HashSet::new();
        for ruleset in rulesets {
            #[cfg(test)]
            crate::work::done();
            // Thousands of members may the same: one look for all.
            let mut last = None;
            for allowance in ruleset.entries().values() {
                let pointer = Arc::as_ptr(allowance);
                if last.replace(pointer) != Some(pointer) {
                    used.insert(allowance);
                }
            }
        }
        let unused = self.allowances.iter().filter(|(_, allowance)| !used.contains(allowance));
        unused.map(|(class, _)| *class).collect()
    }
}
