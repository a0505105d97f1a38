//! What the management server has answered, as desired state: a port for each NIC that has its tap here, the networks that those
//! are on, and the groups that they are in or that their rules name.
//!
//! On networks without security groups nothing is touched.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ipv6_sg_common::mac::Mac;

use super::Oddity;
use super::grants::{Groups, Named};
use super::inventory::{Inventory, Nic, Vm};
use super::members::{Networks, formed, given, members};
use super::names::{NOBODY, Names, plain};
use crate::cloudstack::Taps;
use crate::state::{Declarations, Network, Origin, Port, SecurityGroup, value};

/// What is wanted of this host, and what was odd about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// What is wanted.
    pub declarations: Declarations,
    /// What was odd.
    pub oddities: Vec<Oddity>,
}

/// What is wanted of this host.
pub fn declare(inventory: &Inventory, taps: &Taps) -> Declarations {
    translate(inventory, taps).declarations
}

/// What is wanted of this host, and what was odd about it.
pub fn translate(inventory: &Inventory, taps: &Taps) -> Declared {
    let mut oddities = Vec::new();
    if let Some(first) = inventory.unlisted.first() {
        oddities.push(Oddity::Unlisted { count: inventory.unlisted.len(), first: plain(first) });
    }
    let networks = Networks::new(inventory, &mut oddities);
    let words = inventory.networks.iter().map(|network| (network.id.as_str(), network.name.clone()));
    let (network_names, groups) = (Names::new(words), Groups::new(inventory));
    let mut declared: BTreeMap<&str, Network> = BTreeMap::new();
    let mut ports = Vec::new();
    // Those that ports are in.
    let mut joined = BTreeSet::new();
    for (vm, nic, interface) in plugged(inventory, taps, &mut oddities) {
        let Some((network, prefixes)) = networks.of(nic) else { continue };
        let Some(name) = network_names.of(&network.id) else { continue };
        if let Err(problem) = value::mac(&nic.mac.to_string()) {
            oddities.push(Oddity::Mac { vm: plain(&vm.name), mac: nic.mac, problem: Box::new(problem) });
            continue;
        }
        declared.entry(&network.id).or_insert_with(|| Network {
            name: name.to_owned(),
            prefixes: prefixes.to_vec(),
            routers: Vec::new(),
            origin: Origin::new(&format!("CloudStack network {}", plain(&network.name))),
        });
        let mut given = given(vm, nic, &mut oddities);
        for prefix in prefixes {
            given.addresses.remove(&formed(nic, *prefix));
        }
        let of = vm.groups.iter().filter_map(|id| groups.get(id));
        joined.extend(of.clone().map(|(group, _)| group.id.as_str()));
        ports.push(Port {
            vm: plain(&vm.name),
            interface: interface.to_owned(),
            mac: nic.mac,
            network: name.to_owned(),
            addresses: given.addresses.into_iter().collect(),
            delegated: given.delegated.into_iter().collect(),
            security_groups: Some(of.map(|(_, name)| name.to_owned()).collect()),
            echo: None,
            origin: Origin::new(&format!("CloudStack {}", plain(&vm.name))),
        });
    }
    let groups = security_groups(inventory, &groups, &joined, &networks, &mut oddities);
    // Two groups with one odd member say so once.
    let mut noted = HashSet::new();
    oddities.retain(|oddity| noted.insert(oddity.to_string()));
    Declared { declarations: Declarations { networks: declared.into_values().collect(), ports, groups }, oddities }
}

/// The groups that ports have `joined`, with their rules, and those that these rules name, with their members.
fn security_groups<'a>(
    inventory: &'a Inventory,
    groups: &Groups<'a>,
    joined: &BTreeSet<&'a str>,
    networks: &Networks<'_>,
    oddities: &mut Vec<Oddity>,
) -> Vec<SecurityGroup> {
    let mut named = Named::default();
    let origin = Origin::new("CloudStack");
    let new = |name: &str| SecurityGroup {
        name: name.to_owned(),
        ingress: Default::default(),
        egress: Default::default(),
        members: Vec::new(),
        origin: origin.clone(),
    };
    let mut declared: BTreeMap<&str, SecurityGroup> = BTreeMap::new();
    for (group, name) in joined.iter().filter_map(|id| groups.get(id)) {
        let ingress = groups.rules(group, "ingress", &mut named, oddities);
        let egress = groups.rules(group, "egress", &mut named, oddities);
        declared.insert(&group.id, SecurityGroup { ingress: ingress.into(), egress: egress.into(), ..new(name) });
    }
    for (id, prefixes) in members(inventory, &named.groups, networks, oddities) {
        if let Some((_, name)) = groups.get(id) {
            declared.entry(id).or_insert_with(|| new(name)).members = prefixes.into_iter().collect();
        }
    }
    declared.into_values().chain(named.nobody.then(|| new(NOBODY))).collect()
}

/// The NICs that have a tap here, in the order of their taps. A VM that is migrated has one on both hosts, and CloudStack says that it
/// is on one of them; any other VM that is not here is none of ours, whatever its MAC: MACs are unique in their network alone.
fn plugged<'a>(
    inventory: &'a Inventory,
    taps: &'a Taps,
    oddities: &mut Vec<Oddity>,
) -> Vec<(&'a Vm, &'a Nic, &'a str)> {
    let is_here = |vm: &Vm| vm.host.as_deref() == Some(&inventory.host.id);
    let mut of_taps: BTreeMap<&[String], Vec<(&Vm, &Nic)>> = BTreeMap::new();
    for vm in inventory.vms.iter().filter(|vm| is_here(vm) || vm.migrating) {
        for nic in &vm.nics {
            let taps = taps.made_for(nic.mac);
            if !taps.is_empty() {
                of_taps.entry(taps).or_default().push((vm, nic));
            }
        }
    }
    let mut plugged = Vec::new();
    for (taps, mut nics) in of_taps {
        if nics.len() > 1 && nics.iter().any(|(vm, _)| is_here(vm)) {
            nics.retain(|(vm, _)| is_here(vm));
        }
        match (taps, nics.as_slice()) {
            ([tap], [(vm, nic)]) => plugged.push((*vm, *nic, tap.as_str())),
            (_, [(vm, nic), ..]) => oddities.push(ambiguous(&vm.name, nic.mac, nics.len(), taps.len())),
            (_, []) => {}
        }
    }
    plugged.sort_unstable_by_key(|(_, _, tap)| *tap);
    plugged
}

fn ambiguous(vm: &str, mac: Mac, nics: usize, taps: usize) -> Oddity {
    Oddity::Ambiguous { vm: plain(vm), mac, nics, taps }
}

#[cfg(test)]
pub(super) mod tests;
