//! Which NIC has which tap of this host. libvirt tells it; of a tap that it does not tell of, its MAC, unless several NICs or taps
//! have that.
//!
//! MACs are unique in their network alone, and tenants choose them.

use std::collections::BTreeMap;

use ipv6_sg_common::mac::Mac;

use super::Oddity;
use super::inventory::{Inventory, Nic, Vm};
use super::names::plain;
use crate::cloudstack::{Owner, Taps};

/// A tap, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plugged<'a> {
    /// Its name.
    pub(super) tap: &'a str,
    /// The VM.
    pub(super) vm: &'a Vm,
    /// The MAC of the VM's NIC.
    pub(super) mac: Mac,
    /// The VM's NIC.
    pub(super) nic: Which<'a>,
}

/// One of a VM's NICs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which<'a> {
    /// This one.
    This(&'a Nic),
    /// One of these, which have one MAC.
    OneOf(Vec<&'a Nic>),
}

/// Whether libvirt has said of each tap that somebody has whose it is: a MAC may be another's too.
pub fn are_told(inventory: &Inventory, taps: &Taps) -> bool {
    let mut oddities = Vec::new();
    let plugged = plugged(inventory, taps, &mut oddities);
    oddities.is_empty() && plugged.iter().all(|plugged| taps.is_told(plugged.tap))
}

/// The taps of NICs, in the order of their names. A VM that is migrated has them on both hosts, and CloudStack says that it is on
/// one of them; any other VM that is not here is none of ours, whatever its MAC.
pub(super) fn plugged<'a>(inventory: &'a Inventory, taps: &'a Taps, oddities: &mut Vec<Oddity>) -> Vec<Plugged<'a>> {
    let is_here = |vm: &Vm| vm.host.as_deref() == Some(&inventory.host.id);
    let mut alike: BTreeMap<&[String], Vec<(&Vm, &Nic)>> = BTreeMap::new();
    for vm in inventory.vms.iter().filter(|vm| is_here(vm) || vm.migrating) {
        for nic in &vm.nics {
            let made = taps.made_for(nic.mac);
            if !made.is_empty() {
                alike.entry(made).or_default().push((vm, nic));
            }
        }
    }
    let mut plugged = Vec::new();
    for (made, mut nics) in alike {
        let told = told(made, &mut nics, taps);
        let untold: Vec<_> = made.iter().filter(|tap| !taps.is_told(tap)).collect();
        plugged.extend(told);
        if nics.iter().any(|(vm, _)| is_here(vm)) {
            nics.retain(|(vm, _)| is_here(vm));
        }
        match (&untold[..], &nics[..]) {
            ([tap], [(vm, nic)]) => plugged.push(Plugged { tap, vm, mac: nic.mac, nic: Which::This(nic) }),
            ([], _) | (_, []) => {}
            (_, [(vm, nic), ..]) => {
                let (vm, nics, taps) = (plain(&vm.name), nics.len(), untold.len());
                oddities.push(Oddity::Ambiguous { vm, mac: nic.mac, nics, taps });
            }
        }
    }
    plugged.sort_unstable_by_key(|plugged| plugged.tap);
    plugged
}

/// Those taps whose VM libvirt tells; of `nics`, those that they are of are taken.
fn told<'a>(made: &'a [String], nics: &mut Vec<(&'a Vm, &'a Nic)>, taps: &'a Taps) -> Vec<Plugged<'a>> {
    let mut its_taps: BTreeMap<&Owner, Vec<&str>> = BTreeMap::new();
    for tap in made {
        if let Some(owner) = taps.owners().get(tap) {
            its_taps.entry(owner).or_default().push(tap);
        }
    }
    let mut plugged = Vec::new();
    for (owner, taps) in its_taps {
        let its: Vec<_> = nics.extract_if(.., |(vm, nic)| vm.name == owner.vm && nic.mac == owner.mac).collect();
        // One that the management server has not told of is not known yet.
        let Some((vm, first)) = its.first() else { continue };
        for tap in &taps {
            let nic = match (its.len(), taps.len()) {
                (1, 1) => Which::This(first),
                _ => Which::OneOf(its.iter().map(|(_, nic)| *nic).collect()),
            };
            plugged.push(Plugged { tap, vm, mac: owner.mac, nic });
        }
    }
    plugged
}
