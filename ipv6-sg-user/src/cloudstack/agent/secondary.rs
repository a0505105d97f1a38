//! Addresses that a VM gets or loses while it runs.
//!
//! The management server names the VM's default NIC for all of them, whichever NIC it gave the address to.

use ipv6_sg_common::mac::Mac;

use super::Registry;
use super::command::Secondary;
use super::record::{KnownNic, Vm};
use super::registry::{Change, Unknown};

impl Registry {
    /// Gives a VM these addresses, or takes them from it.
    ///
    /// # Errors
    /// The NIC that is named is not known; nothing has changed.
    pub(super) fn secondary(
        &mut self,
        vm: &str,
        named: Mac,
        addresses: &[Secondary],
        add: bool,
    ) -> Result<Change, Unknown> {
        if addresses.is_empty() {
            return Ok(Change::default());
        }
        let known = self.vms().get(vm).ok_or_else(|| Unknown::Vm(vm.to_owned()))?;
        if !known.nics.contains_key(&named) {
            return Err(Unknown::Nic { vm: vm.to_owned(), mac: named });
        }
        Ok(self.change_one(vm, |vm| {
            for address in addresses {
                if add {
                    let mac = vm.nic_of(address, named);
                    if let Some(nic) = vm.nics.get_mut(&mac) {
                        nic.secondary.insert(*address);
                    }
                } else {
                    for nic in vm.nics.values_mut() {
                        nic.secondary.remove(address);
                    }
                }
            }
        }))
    }
}

impl Vm {
    /// The NIC that an address is for: the one on whose /64 it is. A prefix is on none, and is the one's that is named; so is
    /// an address that tells nothing.
    fn nic_of(&self, secondary: &Secondary, named: Mac) -> Mac {
        let Secondary::Address(address) = secondary else { return named };
        let has_it = |nic: &&KnownNic| nic.ipv6.is_some_and(|own| own.octets()[..8] == address.octets()[..8]);
        let mut on_it = self.nics.values().filter(has_it).map(|nic| nic.mac);
        match (on_it.next(), on_it.next()) {
            (Some(only), None) => only,
            _ => named,
        }
    }
}
