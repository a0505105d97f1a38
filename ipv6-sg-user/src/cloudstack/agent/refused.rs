//! NICs of which something was said that cannot be: a tap that came with them would be open to everything else.
//!
//! Such a NIC has its MAC and nothing more, so that what is left of its call contradicts nobody: no address but the link-local
//! one, and nothing may come in. IPv4 stays whose it is. The next call that can be done gives it the rest.

use super::Registry;
use super::command::Nic;
use super::record::{KnownNic, Vm};
use super::registry::Change;

impl Registry {
    /// Has a NIC of which nothing else is known be there with its MAC alone.
    pub fn refuse(&mut self, nic: &Nic) -> Change {
        let is_guarded = |vm: &Vm| vm.nics.get(&nic.mac).is_some_and(|known| !known.leaving);
        if self.vms().get(&nic.vm).is_some_and(is_guarded) {
            return Change::default();
        }
        self.change(
            |_| false,
            &nic.vm,
            |registry| {
                let interface = nic.interface.clone();
                let bare = KnownNic { interface, refused: true, ..KnownNic::new(nic.mac) };
                registry.vm(nic).nics.insert(nic.mac, bare);
            },
        )
    }
}
