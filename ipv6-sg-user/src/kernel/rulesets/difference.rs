//! What must be written to turn one ruleset into another.

use std::sync::Arc;

use crate::compile::{Allowance, Prefix, Ruleset};

/// The difference, each part by address and then by length.
#[derive(Debug, Default)]
pub(super) struct Difference<'a> {
    /// Peers that only the new one has.
    pub(super) additions: Vec<(Prefix, &'a Arc<Allowance>)>,
    /// Peers that both have, and that may other things than before.
    pub(super) changes: Vec<(Prefix, &'a Arc<Allowance>)>,
    /// Peers that only the old one had.
    pub(super) removals: Vec<Prefix>,
}

/// What turns `old`, if there is one, into `new`.
pub(super) fn difference<'a>(old: Option<&Ruleset>, new: &'a Ruleset) -> Difference<'a> {
    let mut difference = Difference::default();
    let mut old = old.into_iter().flat_map(Ruleset::entries).peekable();
    // Thousands of members may the same: one comparison for all.
    let mut same: Option<(&Arc<Allowance>, &Arc<Allowance>)> = None;
    for (peer, allowance) in new.entries() {
        while let Some((gone, _)) = old.next_if(|(before, _)| *before < peer) {
            difference.removals.push(*gone);
        }
        match old.next_if(|(before, _)| *before == peer) {
            None => difference.additions.push((*peer, allowance)),
            Some((_, before)) => {
                let known = same.is_some_and(|(a, b)| Arc::ptr_eq(a, before) && Arc::ptr_eq(b, allowance));
                if known || before == allowance {
                    same = Some((before, allowance));
                } else {
                    difference.changes.push((*peer, allowance));
                }
            }
        }
    }
    difference.removals.extend(old.map(|(peer, _)| *peer));
    difference
}
