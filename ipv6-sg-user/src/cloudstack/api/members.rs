//! The members of security groups, wherever they run, and what a NIC may use.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;

use super::Oddity;
use super::inventory::{Inventory, Network, Nic, Vm};
use super::names::plain;
use crate::cloudstack::agent::command::Secondary;
use crate::state::value;

/// The networks whose VMs have security groups, by id, with the prefixes that VMs form addresses from.
pub(super) struct Networks<'a>(HashMap<&'a str, (&'a Network, Vec<Ipv6Net>)>);

/// What a NIC may use beside what it forms by itself.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Single addresses.
    pub(super) addresses: BTreeSet<Address>,
    /// Prefixes.
    pub(super) delegated: BTreeSet<Ipv6Net>,
}

impl<'a> Networks<'a> {
    /// A network may have several prefixes, and its NICs say which are in use.
    pub(super) fn new(inventory: &'a Inventory, oddities: &mut Vec<Oddity>) -> Self {
        let mut cidrs: BTreeMap<&str, BTreeSet<Ipv6Net>> = BTreeMap::new();
        for nic in inventory.vms.iter().flat_map(|vm| &vm.nics) {
            cidrs.entry(&nic.network).or_default().extend(nic.cidr);
        }
        let guarded = inventory.networks.iter().filter(|network| network.security_groups);
        Self(
            guarded
                .map(|network| {
                    let mut cidrs = cidrs.remove(network.id.as_str()).unwrap_or_default();
                    cidrs.extend(network.cidr);
                    let announced = |cidr: &Ipv6Net| match value::announced(&cidr.to_string()) {
                        Ok(_) => true,
                        Err(problem) => {
                            let (network, problem) = (plain(&network.name), Box::new(problem));
                            oddities.push(Oddity::Prefix { network, cidr: *cidr, problem });
                            false
                        }
                    };
                    (network.id.as_str(), (network, cidrs.into_iter().filter(announced).collect()))
                })
                .collect(),
        )
    }

    /// The network that a NIC is on, if it has security groups, with its prefixes.
    pub(super) fn of(&self, nic: &Nic) -> Option<(&'a Network, &[Ipv6Net])> {
        self.0.get(nic.network.as_str()).map(|(network, prefixes)| (*network, prefixes.as_slice()))
    }
}

/// What CloudStack gives a NIC.
pub(super) fn given(vm: &Vm, nic: &Nic, oddities: &mut Vec<Oddity>) -> Given {
    let mut given = Given::default();
    let own = nic.address.map(Secondary::Address);
    for secondary in own.iter().chain(&nic.secondary) {
        let prefix = match secondary {
            Secondary::Address(address) => Ipv6Net::from(*address),
            Secondary::Delegated(prefix) => *prefix,
        };
        match (value::prefix(&prefix.to_string()), secondary) {
            (Err(problem), _) => {
                let (vm, problem) = (plain(&vm.name), Box::new(problem));
                oddities.push(Oddity::Address { vm, address: prefix, problem });
            }
            (Ok(_), Secondary::Address(address)) => drop(given.addresses.insert(Address::from_ip(*address))),
            (Ok(_), Secondary::Delegated(prefix)) => drop(given.delegated.insert(*prefix)),
        }
    }
    given
}

/// The address that a NIC forms from a prefix.
pub(super) fn formed(nic: &Nic, prefix: Ipv6Net) -> Address {
    eui64::slaac(Address::from_ip(prefix.addr()), nic.mac)
}

/// The members of these groups: on networks with security groups alone, for elsewhere nobody keeps them from using others'
/// addresses.
pub(super) fn members<'a>(
    inventory: &'a Inventory,
    groups: &BTreeSet<&'a str>,
    networks: &Networks<'_>,
    oddities: &mut Vec<Oddity>,
) -> BTreeMap<&'a str, BTreeSet<Ipv6Net>> {
    let mut members: BTreeMap<&str, BTreeSet<Ipv6Net>> = groups.iter().map(|id| (*id, BTreeSet::new())).collect();
    for vm in &inventory.vms {
        let of: Vec<&str> = vm.groups.iter().map(String::as_str).filter(|id| groups.contains(id)).collect();
        if of.is_empty() {
            continue;
        }
        let mut prefixes = Vec::new();
        for nic in &vm.nics {
            let Some((_, announced)) = networks.of(nic) else { continue };
            let given = given(vm, nic, oddities);
            let formed = announced.iter().map(|prefix| formed(nic, *prefix));
            prefixes.extend(given.addresses.into_iter().chain(formed).map(|address| Ipv6Net::from(address.to_ip())));
            prefixes.extend(given.delegated);
        }
        for id in of {
            members.entry(id).or_default().extend(&prefixes);
        }
    }
    members
}
