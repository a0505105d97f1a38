//! Which rulesets the kernel holds, under which numbers, and the fewest writes from one set of them to another.
//!
//! The one rule: at every moment a packet finds for its peer either what was allowed before or what is allowed now. So
//! additions come before changes and changes before removals, and what is no longer used goes only when no packet can be on
//! its way to it: only then is its number used again. How a table is written is [`Tables`]'s.

mod change;
mod difference;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ipv6_sg_common::abi::RulesetId;

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
    /// Where to look for a number for the next ruleset, and for the next class.
    next: (u32, u32),
    /// Classes that peers are in and that say nothing: somebody damaged the tables.
    dangling: BTreeSet<u32>,
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
            dangling: BTreeSet::new(),
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
        self.dangling =
            peers.values().flat_map(BTreeMap::values).filter(|class| !classes.contains_key(class)).copied().collect();
        // On from the last, so that a number rests for long before it is used again.
        let last = peers.keys().next_back().map_or(0, |id| id.number);
        if last >= self.next.0 {
            self.next.0 = after(last);
        }
        let last = classes.keys().chain(&self.dangling).max().copied().unwrap_or(0);
        if last >= self.next.1 {
            self.next.1 = after(last);
        }
        let nothing = Arc::new(Allowance::default());
        let before = std::mem::take(&mut self.loaded);
        for (id, peers) in peers {
            if id == RulesetId::NOTHING || id == RulesetId::EVERYTHING {
                // No port asks what is in these: somebody else wrote them.
                peers.keys().try_for_each(|peer| self.tables.remove_peer(id, *peer))?;
                continue;
            }
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
        let mut outcome = if self.unsure { self.read() } else { Ok(()) };
        let mut numbers = self.known(ports);
        let (mut failed, mut incomplete) = (HashSet::new(), false);
        for (_, wanted) in ports.iter().flat_map(|port| port.sides()) {
            let Some(wanted) = wanted else { continue };
            let pointer = Arc::as_ptr(wanted);
            if self.unsure || numbers.contains_key(&pointer) || failed.contains(&pointer) {
                continue;
            }
            let (id, before) = match self.changeable(ports, wanted, &numbers) {
                Some(id) => (id, self.loaded.get(&id).map(Arc::clone)),
                None => (self.free(ports), None),
            };
            match self.write(id, before.as_deref(), wanted) {
                Ok(()) => {
                    numbers.insert(pointer, id);
                }
                Err(error) => {
                    // The others are none the worse for it.
                    (outcome, self.unsure) = (outcome.and(Err(error)), false);
                    (incomplete, _) = (true, failed.insert(pointer));
                }
            }
        }
        self.unsure |= incomplete;
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

    /// A number that no ruleset and no port has. What was given up may be used again: no packet can be on its way to it.
    fn free(&mut self, ports: &[Change<'_>]) -> RulesetId {
        let had: HashSet<_> = ports.iter().flat_map(|port| port.sides()).filter_map(|(now, _)| now).collect();
        loop {
            let id = RulesetId { number: self.next.0 };
            self.next.0 = after(id.number);
            if !had.contains(&id) && !self.loaded.contains_key(&id) {
                return id;
            }
        }
    }

    /// Writes what differs.
    fn write(&mut self, id: RulesetId, before: Option<&Ruleset>, wanted: &Arc<Ruleset>) -> Result<()> {
        (self.unsure, self.untidy) = (true, true);
        self.changed |= before.is_some();
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
        if let Some(class) = self.classes.get(allowance) {
            return Ok(*class);
        }
        let class = loop {
            let class = self.next.1;
            self.next.1 = after(class);
            if !self.dangling.contains(&class) && !self.classes.values().any(|used| *used == class) {
                break class;
            }
        };
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
        self.untidy |= !unused.is_empty();
        wait()?;
        self.untidy = false;
        if self.stragglers {
            self.renew()?;
            self.stragglers = false;
        }
        for (allowance, class) in unused {
            // Whatever becomes of it, nobody is to be put in it.
            self.classes.remove(&allowance);
            self.tables.remove_class(class, &allowance).inspect_err(|_| self.unsure = true)?;
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

/// The next number that means what it is told to: the first and the last mean nothing and everything.
const fn after(number: u32) -> u32 {
    if number >= u32::MAX - 1 { 1 } else { number + 1 }
}

#[cfg(test)]
mod tests;
