//! What a compilation leaves for the next: the rules of groups that are the very same are not compiled again.
//!
//! Nothing depends on it but the time that it takes.

use std::collections::HashMap;

use super::access::PortRules;
use super::allowances::{AllowanceId, Allowances};
use crate::state::{Peer, Rules, SecurityGroup};

/// How many allowances that nobody uses may be kept, beside as many as are in use.
const SPARE: usize = 10_000;

/// What is remembered.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) allowances: Allowances,
    by_rules: HashMap<Vec<[usize; 2]>, Remembered>,
}

/// What the rules of some groups let through.
#[derive(Debug)]
struct Remembered {
    rules: PortRules,
    claims: Vec<AllowanceId>,
    /// While these are kept, no others are in their place.
    _of: Vec<[Rules; 2]>,
    is_used: bool,
}

impl Memory {
    /// A compilation begins.
    pub(super) fn begin(&mut self) {
        self.allowances.begin();
    }

    /// It has ended: what it did not need is forgotten.
    pub(super) fn end(&mut self) {
        self.by_rules.retain(|_, remembered| std::mem::take(&mut remembered.is_used));
        let (all, in_use) = self.allowances.count();
        if all > 2 * in_use + SPARE {
            *self = Self::default();
        }
    }

    /// What the rules of these groups let through, and the allowances that are used for it, if they are the very same as before.
    pub(super) fn recall(&mut self, groups: &[&SecurityGroup]) -> Option<(PortRules, Vec<AllowanceId>)> {
        let remembered = self.by_rules.get_mut(&key(groups))?;
        remembered.is_used = true;
        Some((remembered.rules.clone(), remembered.claims.clone()))
    }

    /// Keeps what the rules of these groups let through, if that depends on nothing else.
    pub(super) fn keep(&mut self, groups: &[&SecurityGroup], rules: &PortRules, claims: Vec<AllowanceId>) {
        let mut peers = groups
            .iter()
            .flat_map(|group| group.ingress.iter().chain(group.egress.iter()))
            .flat_map(|rule| &rule.peers);
        if peers.any(|peer| matches!(peer, Peer::Group(_))) {
            return;
        }
        let of = groups.iter().map(|group| [Rules::clone(&group.ingress), Rules::clone(&group.egress)]).collect();
        let remembered = Remembered { rules: rules.clone(), claims, _of: of, is_used: true };
        self.by_rules.insert(key(groups), remembered);
    }
}

/// Where the rules are: the same place is the same rules.
fn key(groups: &[&SecurityGroup]) -> Vec<[usize; 2]> {
    groups.iter().map(|group| [&group.ingress, &group.egress].map(|rules| rules.as_ptr().addr())).collect()
}
