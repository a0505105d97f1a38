//! What the management server has answered, as desired state: a port for each NIC that has its tap here, the networks that those
//! are on, and the groups that they are in or that their rules name.
//!
//! On networks without security groups nothing is touched.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Oddity;
use super::grants::{Groups, Named};
use super::inventory::Inventory;
use super::members::{Networks, formed, given, members};
use super::names::{NOBODY, Names, plain};
use super::plugged::{Plugged, Which, plugged};
use crate::cloudstack::bare::{Who, bare};
use crate::cloudstack::{Owner, Taps};
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
    let (mut ports, mut twins) = (Vec::new(), Vec::new());
    // Those that ports are in.
    let mut joined = BTreeSet::new();
    for Plugged { tap: interface, vm, mac, nic } in plugged(inventory, taps, &mut oddities) {
        let guarded = match &nic {
            Which::This(nic) => networks.of(nic).is_some(),
            Which::OneOf(nics) => nics.iter().any(|nic| networks.of(nic).is_some()),
        };
        if !guarded {
            continue;
        }
        if let Err(problem) = value::mac(&mac.to_string()) {
            oddities.push(Oddity::Mac { vm: plain(&vm.name), mac, problem: Box::new(problem) });
            continue;
        }
        let Which::This(nic) = nic else {
            let owner = Owner { vm: plain(&vm.name), mac };
            twins.push(bare(Who::Api, interface, &owner));
            oddities.push(Oddity::Twins { vm: owner.vm, mac });
            continue;
        };
        let Some((network, prefixes)) = networks.of(nic) else { continue };
        let Some(name) = network_names.of(&network.id) else { continue };
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
    let (networks_of_twins, twins): (Vec<_>, Vec<_>) = twins.into_iter().unzip();
    ports.extend(twins);
    let networks = declared.into_values().chain(networks_of_twins).collect();
    Declared { declarations: Declarations { networks, ports, groups }, oddities }
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

#[cfg(test)]
pub(super) mod tests;
