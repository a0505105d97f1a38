//! The allowances of one compilation and those before: equal ones are one, and no union is computed twice.

use std::collections::HashMap;
use std::sync::Arc;

use super::allowance::Allowance;
use super::{MAX_SERVICES, TooMany, at_most};

/// One of the allowances that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AllowanceId(usize);

/// All allowances, each once.
#[derive(Debug, Default)]
pub(super) struct Allowances {
    /// By id, each with whether it is in use.
    all: Vec<(Arc<Allowance>, bool)>,
    ids: HashMap<Arc<Allowance>, AllowanceId>,
    /// By what is united, ascending.
    unions: HashMap<Vec<AllowanceId>, AllowanceId>,
    /// Services of all that are in use.
    services: usize,
}

impl Allowances {
    /// Another compilation begins: nothing is in use yet.
    pub(super) fn begin(&mut self) {
        self.all.iter_mut().for_each(|(_, in_use)| *in_use = false);
        self.services = 0;
    }

    /// How many there are, and how many of them are in use.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.all.len(), self.all.iter().filter(|(_, in_use)| *in_use).count())
    }

    /// The id of this allowance.
    pub(super) fn intern(&mut self, allowance: Allowance) -> AllowanceId {
        if let Some(id) = self.ids.get(&allowance) {
            return *id;
        }
        let (id, allowance) = (AllowanceId(self.all.len()), Arc::new(allowance));
        self.all.push((Arc::clone(&allowance), false));
        self.ids.insert(allowance, id);
        id
    }

    /// What any of these allow.
    pub(super) fn union(&mut self, ids: impl IntoIterator<Item = AllowanceId>) -> AllowanceId {
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        if let Some(union) = self.unions.get(&ids) {
            return *union;
        }
        let union = self.intern(Allowance::union(ids.iter().filter_map(|id| self.get(*id)).map(AsRef::as_ref)));
        self.unions.insert(ids, union);
        union
    }

    /// The allowance, for use in a ruleset.
    ///
    /// # Errors
    /// All in use together have more services than the maps hold.
    pub(super) fn claim(&mut self, id: AllowanceId) -> Result<(), TooMany> {
        if let Some((allowance, in_use)) = self.all.get_mut(id.0)
            && !*in_use
        {
            *in_use = true;
            self.services += allowance.services().count();
        }
        at_most("services or more, counted for each distinct set of rules", self.services, MAX_SERVICES)
    }

    /// The allowance with this id; always there when the id is from here.
    pub(super) fn get(&self, id: AllowanceId) -> Option<&Arc<Allowance>> {
        self.all.get(id.0).map(|(allowance, _)| allowance)
    }
}
