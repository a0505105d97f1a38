//! Which rulesets the kernel holds, under which numbers, and the fewest writes from one set of them to another.
//!
//! The one rule: at every moment a packet finds for its peer either what was allowed before or what is allowed now. So
//! additions come before changes and changes before removals, and what is no longer used goes only when no packet can be on
//! its way to it: only then is its number used again. How a table is written is [`Tables`]'s.

mod change;
mod chore;
mod classes;
mod demand;
mod difference;
mod next;
mod tables;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ipv6_sg_common::abi::RulesetId;

pub(super) use change::{Change, Numbers};
use classes::Classes;
use demand::{Demand, Numbered};
use difference::{Difference, difference};
use next::Next;
pub(super) use tables::{Peer, Tables};

use super::{KernelError, Result, RuleUse};
use crate::compile::{Access, Allowance, Prefix, Ruleset};

/// Whether flows have been put to the rules since these changed where they are, or ports have others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flows {
    /// Not yet.
    Stale,
    /// They have, and no grace period has passed since: a packet that read the old rules may have told its flow that it is up
    /// to date.
    Renewed,
    /// They have, and no packet under way knows the old rules.
    Current,
}

/// The rulesets in the kernel.
pub(super) struct Rulesets<T> {
    tables: T,
    loaded: BTreeMap<RulesetId, Arc<Ruleset>>,
    classes: Classes,
    /// Where to look for a number for the next ruleset.
    next: Next,
    /// The last generation that was written.
    generation: u32,
    /// What no port has any more.
    retired: BTreeSet<RulesetId>,
    flows: Flows,
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
            classes: Classes::new(),
            next: Next::after(0),
            retired: BTreeSet::new(),
            // Whoever wrote last may have died before saying so.
            flows: Flows::Stale,
            untidy: true,
            unsure: false,
        };
        adopted.read()?;
        Ok(adopted)
    }

    /// Reads the tables again: somebody else may have changed them.
    pub(super) fn read(&mut self) -> Result<()> {
        let (peers, classes) = (self.tables.peers()?, self.tables.classes()?);
        self.classes.found(classes, peers.iter().map(|peer| peer.class));
        self.next.pass(peers.last().map_or(0, |peer| peer.ruleset.number));
        let before = std::mem::take(&mut self.loaded);
        self.unsure = true;
        for peers in peers.chunk_by(|one, other| one.ruleset == other.ruleset) {
            let Some(Peer { ruleset: id, .. }) = peers.first() else { continue };
            if matches!(*id, RulesetId::NOTHING | RulesetId::EVERYTHING) {
                // No port asks what is in these: somebody else wrote them.
                peers.iter().try_for_each(|peer| self.tables.remove_peer(*id, peer.prefix))?;
                continue;
            }
            // What is as it was stays the very same, which is how it is known again.
            let same = before.get(id).filter(|before| self.classes.say(peers, before));
            let ruleset = same.map_or_else(|| Arc::new(self.classes.ruleset(peers)), Arc::clone);
            self.loaded.insert(*id, ruleset);
        }
        self.retired.retain(|id| self.loaded.contains_key(id));
        // Set back, it would take flows that were cut for flows that are allowed.
        if self.tables.generation()? != self.generation {
            self.flows = Flows::Stale;
        }
        (self.unsure, self.untidy) = (false, true);
        Ok(())
    }

    /// How much of the tables is in use, as far as is known without reading them.
    pub(super) fn in_use(&self) -> RuleUse {
        RuleUse {
            generation: self.generation,
            rulesets: self.loaded.len(),
            peers: self.loaded.values().map(|ruleset| ruleset.entries().len()).sum(),
            services: self.classes.services(),
        }
    }

    /// Makes the tables hold the rules of these ports, which are all there are, and says for each what is to apply to it.
    /// A port whose rules found no room keeps what it has, or else nothing may pass; the error says so.
    pub(super) fn follow(&mut self, ports: &[Change<'_>]) -> (Vec<Numbers>, Result<()>) {
        let mut outcome = if self.unsure { self.read() } else { Ok(()) };
        let demand = Demand::of(ports);
        let mut numbers = self.known(&demand);
        let known: HashSet<_> = numbers.values().copied().collect();
        let turns = demand.turns(|id| self.loaded.contains_key(&id) && !known.contains(&id));
        let mut incomplete = false;
        for wanted in demand.wanted() {
            if self.unsure || numbers.contains_key(wanted) {
                continue;
            }
            let (id, before) = match turns.get(wanted) {
                Some(id) => (*id, self.loaded.get(id).map(Arc::clone)),
                None => (self.free(&demand), None),
            };
            match self.write(id, before.as_deref(), wanted) {
                Ok(()) => drop(numbers.insert(wanted, id)),
                // The others are none the worse for it.
                Err(error) => (outcome, self.unsure, incomplete) = (outcome.and(Err(error)), false, true),
            }
        }
        self.unsure |= incomplete;
        let used: HashSet<_> = numbers.values().collect();
        self.retired.retain(|id| !used.contains(id));
        let number = |access: &Access, now: Option<RulesetId>| match access {
            Access::Nothing => RulesetId::NOTHING,
            Access::Everything => RulesetId::EVERYTHING,
            // The tables would show no trace of such a number.
            Access::Rules(ruleset) if ruleset.entries().is_empty() => RulesetId::NOTHING,
            Access::Rules(ruleset) => numbers.get(ruleset).copied().or(now).unwrap_or(RulesetId::NOTHING),
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
    fn known<'a>(&mut self, demand: &Demand<'a>) -> Numbered<'a> {
        let loaded: HashMap<_, _> = self.loaded.iter().map(|(id, ruleset)| (ruleset, *id)).collect();
        let known = demand.wanted().iter().filter_map(|wanted| Some((*wanted, *loaded.get(wanted)?)));
        let known: Numbered<'a> = known.collect();
        // The very same, which is told at a glance the next time.
        self.loaded.extend(known.iter().map(|(wanted, id)| (*id, Arc::clone(wanted))));
        known
    }

    /// A number that no ruleset and no port has. What was given up may be used again: no packet can be on its way to it.
    fn free(&mut self, demand: &Demand<'_>) -> RulesetId {
        let Self { loaded, next, .. } = self;
        let id = |number| RulesetId { number };
        id(next.take(|number| demand.had(id(number)) || loaded.contains_key(&id(number))))
    }

    /// Writes what differs.
    fn write(&mut self, id: RulesetId, before: Option<&Ruleset>, wanted: &Arc<Ruleset>) -> Result<()> {
        (self.unsure, self.untidy) = (true, true);
        if before.is_some() {
            self.flows = Flows::Stale;
        }
        let Difference { mut additions, changes, mut removals } = difference(before, wanted);
        // No address may meanwhile find an entry that was never its longest: it comes after those inside, and goes before.
        additions.sort_by_key(|((_, length), _)| Reverse(*length));
        removals.sort_by_key(|(_, length)| *length);
        let added = additions.len();
        let mut puts = additions;
        puts.extend(changes);
        let done = self.put(id, &puts);
        for peer in removals {
            self.tables.remove_peer(id, peer)?;
        }
        if let Err((done, _)) = done {
            // There was no room, and now there may be. Some kernels want room for a change too. Until then some peers may less
            // than before and after; none may more.
            for (peer, _) in puts.iter().skip(done.max(added)) {
                self.tables.remove_peer(id, *peer)?;
            }
            self.put(id, puts.get(done..).unwrap_or_default()).map_err(|(_, error)| error)?;
        }
        self.loaded.insert(id, Arc::clone(wanted));
        self.unsure = false;
        Ok(())
    }

    /// Writes these in this order; else how many were written, and why no more.
    fn put(
        &mut self,
        id: RulesetId,
        puts: &[(Prefix, &Arc<Allowance>)],
    ) -> std::result::Result<(), (usize, KernelError)> {
        for ((peer, allowance), done) in puts.iter().zip(0..) {
            let put = self.class(allowance).and_then(|class| self.tables.put_peer(id, *peer, class));
            put.map_err(|error| (done, error))?;
        }
        Ok(())
    }

    /// The class of peers that may just this.
    fn class(&mut self, allowance: &Arc<Allowance>) -> Result<u32> {
        if let Some(class) = self.classes.of(allowance) {
            return Ok(class);
        }
        let class = self.classes.free();
        self.tables.put_class(class, allowance)?;
        self.classes.insert(class, allowance);
        Ok(class)
    }

    /// Every port has its numbers: those in use are these. `moved` when one that was there before has others than before.
    ///
    /// # Errors
    /// Flows could not be put to the rules again: they go on as the old ones allowed until it works.
    pub(super) fn applied(&mut self, used: &BTreeSet<RulesetId>, moved: bool) -> Result<()> {
        self.retired = self.loaded.keys().filter(|id| !used.contains(id)).copied().collect();
        if moved {
            self.flows = Flows::Stale;
        }
        if self.flows == Flows::Stale {
            self.renew()?;
            self.flows = Flows::Renewed;
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<()> {
        self.generation = self.generation.wrapping_add(1);
        self.tables.renew(self.generation)
    }
}

#[cfg(test)]
mod tests;
