//! What all ports want, seen from the rulesets: gathered in one pass, so that nobody asks the ports again for each of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ipv6_sg_common::abi::RulesetId;

use super::change::Change;
use crate::compile::Ruleset;

/// The numbers of wanted rulesets, by content.
pub(super) type Numbered<'a> = HashMap<&'a Arc<Ruleset>, RulesetId>;

/// The rulesets that ports want and those that they have.
pub(super) struct Demand<'a> {
    /// What is wanted, each content once, in the order of the ports.
    wanted: Vec<&'a Arc<Ruleset>>,
    /// What ports have, and what is wanted in its place; `None` where its ports do not all want the same.
    had: BTreeMap<RulesetId, Option<&'a Arc<Ruleset>>>,
}

impl<'a> Demand<'a> {
    /// What these ports want and have, which are all there are.
    pub(super) fn of(ports: &[Change<'a>]) -> Self {
        let (mut wanted, mut seen, mut had) = (Vec::new(), HashSet::new(), BTreeMap::new());
        for (now, ruleset) in ports.iter().flat_map(|port| port.sides()) {
            if let Some(ruleset) = ruleset
                && seen.insert(ruleset)
            {
                wanted.push(ruleset);
            }
            if let Some(now) = now {
                let heir = had.entry(now).or_insert(ruleset);
                if *heir != ruleset {
                    *heir = None;
                }
            }
        }
        Self { wanted, had }
    }

    /// What is wanted, each content once, in the order of the ports.
    pub(super) fn wanted(&self) -> &[&'a Arc<Ruleset>] {
        &self.wanted
    }

    /// Whether a port has it now.
    pub(super) fn had(&self, id: RulesetId) -> bool {
        self.had.contains_key(&id)
    }

    /// For what is wanted a ruleset that can be turned into it where it is, because every port that has it wants this. Only
    /// among those that are `free` to become something else.
    pub(super) fn turns(&self, free: impl Fn(RulesetId) -> bool) -> Numbered<'a> {
        let mut turns = HashMap::new();
        for (id, heir) in self.had.iter().filter(|(id, _)| free(**id)) {
            if let Some(heir) = heir {
                turns.entry(*heir).or_insert(*id);
            }
        }
        turns
    }
}
