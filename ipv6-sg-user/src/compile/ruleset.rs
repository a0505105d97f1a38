//! The rules of one direction of a port's groups, by peer: the table that leads from an address to what may flow.
//!
//! Prefixes either nest or are disjoint. Sorted by first address, longer after shorter, whatever encloses a prefix
//! stands before it and is still open when it comes: one pass finds for each prefix what all rules around it allow.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use ipv6_sg_common::address::Address;

use super::TooMany;
use super::allowance::Allowance;
use super::allowances::{AllowanceId, Allowances};
use super::prefix::{Prefix, covers, first};

/// What each peer is allowed by the longest prefix around its address; a peer in no prefix is allowed nothing.
#[derive(Clone, Debug)]
pub struct Ruleset {
    entries: BTreeMap<Prefix, Arc<Allowance>>,
    /// Those that occur among the entries.
    lengths: BTreeSet<u8>,
    /// Of the entries: thousands of rulesets are told apart by it, each with thousands of entries.
    hash: u64,
}

impl Ruleset {
    /// The ruleset with these entries.
    pub fn new(entries: impl IntoIterator<Item = (Prefix, Arc<Allowance>)>) -> Self {
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        let lengths = entries.keys().map(|(_, length)| *length).collect();
        let hash = hash(&entries);
        Self { entries, lengths, hash }
    }

    /// Its entries, by address and then by length. Each holds the union of what all rules around it allow, and differs
    /// from that of the entry which encloses it. In one compilation, equal allowances are one.
    pub const fn entries(&self) -> &BTreeMap<Prefix, Arc<Allowance>> {
        &self.entries
    }

    /// What this peer is allowed; `None` for nothing.
    pub fn lookup(&self, peer: Address) -> Option<&Allowance> {
        let entry = |length: &u8| self.entries.get(&(first(peer, *length), *length));
        self.lengths.iter().rev().find_map(entry).map(AsRef::as_ref)
    }
}

impl Default for Ruleset {
    /// Nobody is allowed anything.
    fn default() -> Self {
        Self::new([])
    }
}

impl PartialEq for Ruleset {
    /// The same peers are allowed the same.
    fn eq(&self, other: &Self) -> bool {
        #[cfg(test)]
        crate::work::done();
        self.hash == other.hash && self.entries == other.entries
    }
}

impl Eq for Ruleset {}

impl Hash for Ruleset {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The same for the same content, in one process.
fn hash(entries: &BTreeMap<Prefix, Arc<Allowance>>) -> u64 {
    let of = |allowance: &Allowance| {
        let mut hasher = DefaultHasher::new();
        allowance.hash(&mut hasher);
        hasher.finish()
    };
    let mut hasher = DefaultHasher::new();
    // Thousands of members may the same: one hash for all.
    let mut last: Option<(&Arc<Allowance>, u64)> = None;
    for (prefix, allowance) in entries {
        let same = last.filter(|(before, _)| Arc::ptr_eq(before, allowance));
        let (_, allowed) = *last.insert(same.unwrap_or_else(|| (allowance, of(allowance))));
        (prefix, allowed).hash(&mut hasher);
    }
    hasher.finish()
}

/// The entries for what rules say: prefixes in any order, each with what one rule or more allow it. The same prefix may
/// come often.
///
/// # Errors
/// More services than the maps hold.
pub(super) fn entries(
    mut said: Vec<(Prefix, AllowanceId)>,
    allowances: &mut Allowances,
) -> Result<Vec<(Prefix, AllowanceId)>, TooMany> {
    // The stable sort, for most of it comes in long sorted runs: the members of groups.
    said.sort();
    let mut entries = Vec::new();
    let mut enclosing: Vec<(Prefix, AllowanceId)> = Vec::new();
    for same in said.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((prefix, _)) = same.first() else { continue };
        while enclosing.pop_if(|(outer, _)| !covers(*outer, *prefix)).is_some() {}
        let outer = enclosing.last().map(|(_, allowed)| *allowed);
        let allowed = allowances.union(outer.into_iter().chain(same.iter().map(|(_, own)| *own)));
        if Some(allowed) != outer {
            allowances.claim(allowed)?;
            enclosing.push((*prefix, allowed));
            entries.push((*prefix, allowed));
        }
    }
    Ok(entries)
}
