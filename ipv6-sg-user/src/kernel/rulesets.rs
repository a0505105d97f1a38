//! Which rulesets the kernel holds, under which numbers, and the fewest writes from one set of them to another.
//!
//! The one rule: at every moment a packet finds for its peer either what was allowed before or what is allowed now. So
//! additions come before changes and changes before removals; numbers are not used twice; and what is no longer used goes
//! only when no packet can be on its way to it. How a table is written is [`Tables`]'s.

mod change;
mod difference;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ipv6_sg_common::abi::{RulesetId, maps};

pub(super) use change::{Change, Numbers};
use difference::{Difference, difference};

use super::{KernelError, Result};
use crate::compile::{Access, Allowance, Prefix, Ruleset};

/// The tables in the kernel. A trait so that the order of what is done to them can be tested without one.
pub(super) trait Tables {
    /// Everything that peers are in: by ruleset and prefix the class.
    fn peers(&self) -> Result<BTreeMap<RulesetId, BTreeMap<Prefix, u32>>>;
    /// What each class may.
    fn classes(&self) -> Result<BTreeMap<u32, Allowance>>;
    /// Puts a peer in a class.
    fn put_peer(&mut self, ruleset: RulesetId, peer: Prefix, class: u32) -> Result<()>;
    /// Forgets a peer.
    fn remove_peer(&mut self, ruleset: RulesetId, peer: Prefix) -> Result<()>;
    /// Lets a class have this.
    fn put_class(&mut self, class: u32, allowance: &Allowance) -> Result<()>;
    /// Forgets a class.
    fn remove_class(&mut self, class: u32, allowance: &Allowance) -> Result<()>;
    /// The generation that flows are told by.
    fn generation(&self) -> Result<u32>;
    /// Makes it this one: every flow of another is put to the rules again.
    fn renew(&mut self, generation: u32) -> Result<()>;
}

/// The rulesets in the kernel.
pub(super) struct Rulesets<T> {
    tables: T,
    loaded: BTreeMap<RulesetId, Arc<Ruleset>>,
    classes: HashMap<Arc<Allowance>, u32>,
    /// No ruleset and no class from here on was ever used.
    next: (u32, u32),
    /// The last generation that was written.
    generation: u32,
    /// What no port has any more.
    retired: BTreeSet<RulesetId>,
    /// Rules changed where they are since flows were last put to them.
    changed: bool,
    /// Flows were put to the rules, and since then no grace period has passed: a packet that read the old ones may have told
    /// its flow that it is up to date.
    stragglers: bool,
    /// Classes may be in no ruleset any more.
    untidy: bool,
    /// A write failed half-way: what the tables hold is not what is written here.
    unsure: bool,
}

impl<T: Tables> Rulesets<T> {
    /// Takes over what the tables hold.
    pub(super) fn adopt(tables: T) -> Result<Self> {
        let mut adopted = Self {
            generation: tables.generation()?,
            tables,
            loaded: BTreeMap::new(),
            classes: HashMap::new(),
            next: (1, 1),
            retired: BTreeSet::new(),
            // Whoever wrote last may have died before saying so.
            changed: true,
            stragglers: false,
            untidy: true,
            unsure: false,
        };
        adopted.read()?;
        Ok(adopted)
    }

    /// Reads the tables again: somebody else may have changed them.
    pub(super) fn read(&mut self) -> Result<()> {
        let (peers, classes) = (self.tables.peers()?, self.tables.classes()?);
        let classes: BTreeMap<u32, Arc<Allowance>> =
            classes.into_iter().map(|(class, allowance)| (class, Arc::new(allowance))).collect();
        let ruleset = peers.keys().next_back().map_or(0, |id| id.number);
        let class = peers.values().flat_map(BTreeMap::values).chain(classes.keys()).max().copied().unwrap_or(0);
        self.next = (self.next.0.max(ruleset.saturating_add(1)), self.next.1.max(class.saturating_add(1)));
        let nothing = Arc::new(Allowance::default());
        let before = std::mem::take(&mut self.loaded);
        for (id, peers) in peers {
            let allowed = |class| Arc::clone(classes.get(&class).unwrap_or(&nothing));
            let ruleset = Ruleset::new(peers.into_iter().map(|(peer, class)| (peer, allowed(class))));
            // What is as it was stays the very same, which is how it is known again.
            let same = before.get(&id).filter(|before| ***before == ruleset);
            self.loaded.insert(id, same.map_or_else(|| Arc::new(ruleset), Arc::clone));
        }
        self.retired.retain(|id| self.loaded.contains_key(id));
        // Of two classes that allow the same either will do; the other goes when nobody uses it.
        self.classes = classes.into_iter().map(|(class, allowance)| (allowance, class)).collect();
        // Set back, it would take flows that were cut for flows that are allowed.
        self.changed |= self.tables.generation()? != self.generation;
        (self.unsure, self.untidy) = (false, true);
        Ok(())
    }

    /// Makes the tables hold the rules of these ports, which are all there are, and says for each what is to apply to it.
    /// A port whose rules found no room keeps what it has, or else nothing may pass; the error says so.
    pub(super) fn follow(&mut self, ports: &[Change<'_>]) -> (Vec<Numbers>, Result<()>) {
        // Whoever damaged the tables cannot have a port's number given to others.
        let had = ports.iter().filter_map(|port| port.now).flat_map(|now| [now.ingress, now.egress]);
        let had = had.filter(|id| *id != RulesetId::EVERYTHING).max();
        self.next.0 = self.next.0.max(had.map_or(0, |id| id.number).saturating_add(1));
        let mut outcome = if self.unsure { self.read() } else { Ok(()) };
        let mut numbers = self.known(ports);
        for (_, wanted) in ports.iter().flat_map(|port| port.sides()) {
            let Some(wanted) = wanted else { continue };
            if outcome.is_err() || numbers.contains_key(&Arc::as_ptr(wanted)) {
                continue;
            }
            let number = match self.changeable(ports, wanted, &numbers) {
                Some(id) => self.write(id, Some(id), wanted).map(|()| id),
                None => self.add(wanted),
            };
            match number {
                Ok(id) => {
                    numbers.insert(Arc::as_ptr(wanted), id);
                }
                Err(error) => outcome = Err(error),
            }
        }
        self.retired.retain(|id| !numbers.values().any(|used| used == id));
        let number = |access: &Access, now: Option<RulesetId>| match access {
            Access::Nothing => RulesetId::NOTHING,
            Access::Everything => RulesetId::EVERYTHING,
            // The tables would show no trace of such a number.
            Access::Rules(ruleset) if ruleset.entries().is_empty() => RulesetId::NOTHING,
            Access::Rules(ruleset) => numbers.get(&Arc::as_ptr(ruleset)).copied().or(now).unwrap_or(RulesetId::NOTHING),
        };
        let of = |port: &Change<'_>| match port.wanted {
            Some(rules) => Numbers {
                ingress: number(&rules.ingress, port.now.map(|now| now.ingress)),
                egress: number(&rules.egress, port.now.map(|now| now.egress)),
            },
            None => Numbers { ingress: RulesetId::NOTHING, egress: RulesetId::EVERYTHING },
        };
        (ports.iter().map(of).collect(), outcome)
    }

    /// The wanted rulesets that are loaded already.
    fn known(&mut self, ports: &[Change<'_>]) -> HashMap<*const Ruleset, RulesetId> {
        let mut numbers: HashMap<_, _> = self.loaded.iter().map(|(id, loaded)| (Arc::as_ptr(loaded), *id)).collect();
        let mut wanted = HashMap::new();
        for ruleset in ports.iter().flat_map(|port| port.sides()).filter_map(|(_, wanted)| wanted) {
            let pointer = Arc::as_ptr(ruleset);
            if wanted.contains_key(&pointer) {
                continue;
            }
            let id = numbers.remove(&pointer).or_else(|| {
                let (id, loaded) = self.loaded.iter_mut().find(|(_, loaded)| *loaded == ruleset)?;
                *loaded = Arc::clone(ruleset);
                Some(*id)
            });
            if let Some(id) = id {
                wanted.insert(pointer, id);
            }
        }
        wanted
    }

    /// A loaded ruleset that can be turned into `wanted` where it is: nobody wants it as it is, and every port that has it
    /// wants this.
    fn changeable(
        &self,
        ports: &[Change<'_>],
        wanted: &Arc<Ruleset>,
        numbers: &HashMap<*const Ruleset, RulesetId>,
    ) -> Option<RulesetId> {
        let sides = || ports.iter().flat_map(|port| port.sides());
        let wants = |side: Option<&Arc<Ruleset>>| side.is_some_and(|side| Arc::ptr_eq(side, wanted));
        let candidates = sides().filter(|(_, side)| wants(*side)).filter_map(|(now, _)| now);
        candidates.into_iter().find(|id| {
            self.loaded.contains_key(id)
                && !numbers.values().any(|used| used == id)
                && sides().all(|(now, side)| now != Some(*id) || wants(side))
        })
    }

    fn add(&mut self, wanted: &Arc<Ruleset>) -> Result<RulesetId> {
        let id = RulesetId { number: take(&mut self.next.0, maps::PEERS)? };
        self.write(id, None, wanted).map(|()| id)
    }

    /// Writes what differs.
    fn write(&mut self, id: RulesetId, before: Option<RulesetId>, wanted: &Arc<Ruleset>) -> Result<()> {
        let before = before.and_then(|id| self.loaded.get(&id)).map(Arc::clone);
        (self.unsure, self.untidy) = (true, true);
        self.changed |= before.is_some();
        let Difference { mut additions, changes, mut removals } = difference(before.as_deref(), wanted);
        // No address may meanwhile find an entry that was never its longest: it comes after those inside, and goes before.
        additions.sort_by_key(|((_, length), _)| Reverse(*length));
        removals.sort_by_key(|(_, length)| *length);
        for (peer, allowance) in additions.into_iter().chain(changes) {
            let class = self.class(allowance)?;
            self.tables.put_peer(id, peer, class)?;
        }
        for peer in removals {
            self.tables.remove_peer(id, peer)?;
        }
        self.loaded.insert(id, Arc::clone(wanted));
        self.unsure = false;
        Ok(())
    }

    /// The class of peers that may just this.
    fn class(&mut self, allowance: &Arc<Allowance>) -> Result<u32> {
        if let Some(class) = self.classes.get(allowance) {
            return Ok(*class);
        }
        let class = take(&mut self.next.1, maps::SERVICES)?;
        self.tables.put_class(class, allowance)?;
        self.classes.insert(Arc::clone(allowance), class);
        Ok(class)
    }

    /// Every port has its numbers: those in use are these. `moved` when one that was there before has others than before.
    ///
    /// # Errors
    /// Flows could not be put to the rules again: they go on as the old ones allowed until it works.
    pub(super) fn applied(&mut self, used: &BTreeSet<RulesetId>, moved: bool) -> Result<()> {
        self.retired = self.loaded.keys().filter(|id| !used.contains(id)).copied().collect();
        self.changed |= moved;
        if self.changed {
            self.renew()?;
            (self.changed, self.stragglers) = (false, true);
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<()> {
        self.generation = self.generation.wrapping_add(1);
        self.tables.renew(self.generation)
    }

    /// The classes that are in no ruleset.
    fn unused(&self) -> Vec<(Arc<Allowance>, u32)> {
        let mut used = HashSet::new();
        for entries in self.loaded.values().map(|ruleset| ruleset.entries()) {
            let mut last = None;
            for allowance in entries
                .values()
                .filter(|allowance| last.replace(Arc::as_ptr(allowance)) != Some(Arc::as_ptr(allowance)))
            {
                used.insert(allowance);
            }
        }
        let unused = self.classes.iter().filter(|(allowance, _)| !used.contains(allowance));
        unused.map(|(allowance, class)| (Arc::clone(allowance), *class)).collect()
    }

    /// Does one of the things that need a grace period first, which `wait` waits for. `false` when nothing is left to do.
    pub(super) fn tidy(&mut self, wait: impl FnOnce() -> Result<()>) -> Result<bool> {
        if self.unsure {
            self.read()?;
        }
        let unused = if std::mem::take(&mut self.untidy) { self.unused() } else { Vec::new() };
        if !self.stragglers && self.retired.is_empty() && unused.is_empty() {
            return Ok(false);
        }
        wait()?;
        if self.stragglers {
            self.renew()?;
            self.stragglers = false;
        }
        for (allowance, class) in unused {
            self.tables.remove_class(class, &allowance)?;
            self.classes.remove(&allowance);
        }
        if let Some(id) = self.retired.pop_first()
            && let Some(loaded) = self.loaded.remove(&id)
        {
            (self.unsure, self.untidy) = (true, true);
            for peer in loaded.entries().keys() {
                self.tables.remove_peer(id, *peer)?;
            }
            self.unsure = false;
        }
        Ok(true)
    }
}

/// A number that was never used. The last one means everything, and only a table that somebody else wrote leads there.
fn take(next: &mut u32, map: &'static str) -> Result<u32> {
    let number = *next;
    *next = number.checked_add(1).ok_or_else(|| KernelError::Map {
        action: "add to",
        map,
        reason: "all numbers were used; `ipv6-sg detach --all`, and start anew".to_owned(),
    })?;
    Ok(number)
}

#[cfg(test)]
mod tests;
