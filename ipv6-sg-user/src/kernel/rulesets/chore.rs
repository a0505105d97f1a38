//! What is put off until nobody waits: it takes a grace period first, so that no packet is on its way to what it removes.

use ipv6_sg_common::abi::RulesetId;

use super::{Flows, Rulesets, Tables};
use crate::kernel::Result;

/// How many peers are forgotten in one turn, or those of one ruleset: about as long as a grace period takes.
const AT_ONCE: usize = 4096;

/// Something to do when a grace period has passed.
#[derive(Debug)]
enum Chore {
    /// Put every flow to the rules once more: packets that read old ones are through.
    Renew,
    /// Forget these rulesets, which no port has any more.
    Forget(Vec<RulesetId>),
    /// Forget these classes, which are in no ruleset any more.
    Sweep(Vec<u32>),
}

impl<T: Tables> Rulesets<T> {
    /// Does one of the things that need a grace period first, which `wait` waits for. `false` when nothing is left to do.
    pub(in crate::kernel) fn tidy(&mut self, wait: impl FnOnce() -> Result<()>) -> Result<bool> {
        if self.unsure {
            self.read()?;
        }
        let Some(chore) = self.chore() else { return Ok(false) };
        wait()?;
        self.perform(chore)?;
        Ok(true)
    }

    /// What to do next; `None` when everything is in order.
    fn chore(&mut self) -> Option<Chore> {
        if self.flows != Flows::Current {
            return Some(Chore::Renew);
        }
        if !self.retired.is_empty() {
            let mut peers = 0;
            let few = |id: &&RulesetId| {
                let room = peers < AT_ONCE;
                peers += self.loaded.get(id).map_or(0, |ruleset| ruleset.entries().len());
                room
            };
            return Some(Chore::Forget(self.retired.iter().take_while(few).copied().collect()));
        }
        // Last, and once for all that has gone: it looks at every ruleset.
        let unused = if self.untidy { self.classes.unused(self.loaded.values()) } else { Vec::new() };
        self.untidy = !unused.is_empty();
        self.untidy.then_some(Chore::Sweep(unused))
    }

    fn perform(&mut self, chore: Chore) -> Result<()> {
        match chore {
            Chore::Renew => {
                self.renew()?;
                self.flows = Flows::Current;
            }
            Chore::Forget(rulesets) => rulesets.into_iter().try_for_each(|id| self.forget(id))?,
            Chore::Sweep(classes) => {
                for class in classes {
                    // Whatever becomes of it, nobody is to be put in it.
                    if let Some(allowance) = self.classes.remove(class) {
                        self.tables.remove_class(class, &allowance).inspect_err(|_| self.unsure = true)?;
                    }
                }
                self.untidy = false;
            }
        }
        Ok(())
    }

    fn forget(&mut self, id: RulesetId) -> Result<()> {
        self.retired.remove(&id);
        if let Some(loaded) = self.loaded.remove(&id) {
            (self.unsure, self.untidy) = (true, true);
            for peer in loaded.entries().keys() {
                self.tables.remove_peer(id, *peer)?;
            }
            self.unsure = false;
        }
        Ok(())
    }
}
