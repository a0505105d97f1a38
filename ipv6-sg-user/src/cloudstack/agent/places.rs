//! Which tap is which NIC's.
//!
//! MACs are unique in their network alone, and tenants choose them: two VMs of one host may have one MAC, or two that give taps
//! of one MAC. So a tap that was said to be a NIC's is no other's, whatever its MAC.

use std::collections::HashSet;

use super::Registry;
use super::record::{KnownNic, Vm};
use crate::cloudstack::{Owner, Taps};

/// The NICs, each with its interface: `None` where what was named is the tap of another NIC.
pub fn places<'a>(registry: &'a Registry, taps: &'a Taps) -> Vec<(&'a Vm, &'a KnownNic, Option<&'a str>)> {
    let nics: Vec<_> = registry.vms().values().flat_map(|vm| vm.nics.values().map(move |nic| (vm, nic))).collect();
    let is_said = |vm: &Vm, nic: &KnownNic| {
        taps.made_for(nic.mac).contains(&nic.interface) && !taps.is_anothers(&nic.interface, &vm.name, nic.mac)
    };
    let said: HashSet<&str> =
        nics.iter().filter(|(vm, nic)| is_said(vm, nic)).map(|(_, nic)| nic.interface.as_str()).collect();
    let place = |vm: &Vm, nic: &'a KnownNic| taps.of(&vm.name, nic.mac, &nic.interface, |tap| said.contains(tap));
    nics.into_iter().map(|(vm, nic)| (vm, nic, place(vm, nic))).collect()
}

/// The taps that libvirt made for NICs which have another one: their VM has two NICs with one MAC, and the calls for them cannot be
/// told apart.
pub fn twins<'a>(registry: &'a Registry, taps: &'a Taps) -> Vec<(&'a str, &'a Owner)> {
    if taps.owners().is_empty() {
        return Vec::new();
    }
    let placed: HashSet<_> = places(registry, taps).into_iter().filter_map(|(_, _, interface)| interface).collect();
    let is_known = |owner: &Owner| {
        let vm = registry.vms().get(&owner.vm).filter(|vm| !vm.system);
        vm.is_some_and(|vm| vm.nics.contains_key(&owner.mac))
    };
    let twins = taps.owners().iter().map(|(tap, owner)| (tap.as_str(), owner));
    twins.filter(|(tap, owner)| is_known(owner) && !placed.contains(tap)).collect()
}

/// Whether each NIC is on a tap that was said to be its own, or that libvirt says is. One that is found by its MAC alone may be another's
/// whose own is gone.
pub fn are_told(registry: &Registry, taps: &Taps) -> bool {
    let mut taken = HashSet::new();
    places(registry, taps).into_iter().all(|(_, nic, interface)| {
        interface.filter(|interface| taps.has(interface)).is_none_or(|interface| {
            let is_only = taken.insert(interface);
            taps.is_told(interface) || is_only && interface == nic.interface
        })
    })
}
