//! Which tap is which NIC's.
//!
//! MACs are unique in their network alone, and tenants choose them: two VMs of one host may have one MAC, or two that give taps
//! of one MAC. So a tap that was said to be a NIC's is no other's, whatever its MAC.

use std::collections::HashSet;

use super::Registry;
use super::record::{KnownNic, Vm};
use crate::cloudstack::Taps;

/// The NICs, each with its interface: `None` where what was named is the tap of another NIC.
pub fn places<'a>(registry: &'a Registry, taps: &'a Taps) -> Vec<(&'a Vm, &'a KnownNic, Option<&'a str>)> {
    let nics: Vec<_> = registry.vms().values().flat_map(|vm| vm.nics.values().map(move |nic| (vm, nic))).collect();
    let is_said = |nic: &KnownNic| taps.made_for(nic.mac).contains(&nic.interface);
    let said: HashSet<&str> =
        nics.iter().filter(|(_, nic)| is_said(nic)).map(|(_, nic)| nic.interface.as_str()).collect();
    let place = |nic: &'a KnownNic| taps.of(nic.mac, &nic.interface, |tap| said.contains(tap));
    nics.into_iter().map(|(vm, nic)| (vm, nic, place(nic))).collect()
}
