//! Prefixes that are reserved in Kea's database, given to the ports whose MACs they are reserved for.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;

use crate::cloudstack;
use crate::kea::{Delegation, Delegations};
use crate::state::{Declarations, Error, Port};

/// A prefix for a port, by its interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) interface: String,
    pub(super) delegation: Delegation,
}

/// A prefix that is reserved, and nobody's on this host.
#[derive(Debug, thiserror::Error)]
pub enum NotGiven {
    /// It cannot be told whose it is.
    #[error(
        "{prefix} is reserved for {mac}, which is of {one} and of {other}: it is neither's until one has another MAC"
    )]
    Ambiguous {
        /// The prefix.
        prefix: Ipv6Net,
        /// The MAC.
        mac: Mac,
        /// A VM that has it.
        one: String,
        /// Another.
        other: String,
    },
    /// Somebody else has it, or part of it.
    #[error("{prefix} is reserved for {mac}, and cannot be: {error}")]
    Taken {
        /// The prefix.
        prefix: Ipv6Net,
        /// The MAC.
        mac: Mac,
        /// Whose it is.
        error: Error,
    },
    /// It is none.
    #[error("Kea's database: {0}; `ipv6-sg pd check` shows all of these")]
    Malformed(String),
}

/// Which port gets which of these. Ports that have theirs already get nothing.
pub(super) fn to_ports<'a>(
    ports: impl Iterator<Item = &'a Port>,
    delegations: &Delegations,
) -> (Vec<Given>, Vec<NotGiven>) {
    let mut by_mac: BTreeMap<Mac, Vec<&Port>> = BTreeMap::new();
    // Of two NICs of one VM with one MAC, one has nothing but that.
    for port in ports.filter(|port| !cloudstack::is_bare(port)) {
        by_mac.entry(port.mac).or_default().push(port);
    }
    let mut given = Vec::new();
    let mut not_given: Vec<_> = delegations.malformed.iter().cloned().map(NotGiven::Malformed).collect();
    for delegation in &delegations.delegations {
        let Delegation { mac, prefix, .. } = *delegation;
        let ports = by_mac.get(&mac).map(Vec::as_slice).unwrap_or_default();
        let ports: Vec<_> = ports.iter().filter(|port| may_be(&port.vm, delegation.vm.as_deref())).collect();
        match ports[..] {
            [port] if !port.delegated.contains(&prefix) => {
                given.push(Given { interface: port.interface.clone(), delegation: delegation.clone() });
            }
            // A MAC is unique in its network alone, and Kea knows no networks.
            [one, other, ..] => {
                let (one, other) = (one.vm.clone(), other.vm.clone());
                not_given.push(NotGiven::Ambiguous { prefix, mac, one, other });
            }
            _ => {}
        }
    }
    (given, not_given)
}

/// Whether a prefix that is recorded for a VM may be this port's, which has its MAC. Tenants choose MACs, and CloudStack names: where
/// both names are CloudStack's, they are the same. What people call VMs when they allocate is theirs to choose.
fn may_be(vm: &str, recorded: Option<&str>) -> bool {
    recorded.is_none_or(|recorded| recorded == vm || !(is_instance(recorded) && is_instance(vm)))
}

/// Whether CloudStack names VMs so: `i-2-55-VM`.
fn is_instance(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.splitn(4, '-');
    parts.next() == Some("i")
        && parts.by_ref().take(2).filter(|part| is_number(part)).count() == 2
        && parts.next().is_some()
}

/// Has ports have what is given to them.
pub(super) fn give(declarations: &mut [Declarations], given: &[Given]) {
    let mut by_interface: BTreeMap<&str, Vec<Ipv6Net>> = BTreeMap::new();
    for Given { interface, delegation } in given {
        by_interface.entry(interface).or_default().push(delegation.prefix);
    }
    for port in declarations.iter_mut().flat_map(|declarations| &mut declarations.ports) {
        port.delegated.extend(by_interface.get(port.interface.as_str()).into_iter().flatten());
    }
}

impl NotGiven {
    pub(super) fn taken(given: Given, error: Error) -> Self {
        let Delegation { mac, prefix, .. } = given.delegation;
        Self::Taken { prefix, mac, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_prefix_may_be() {
        for (vm, recorded, wanted) in [
            ("i-2-55-VM", None, true),
            ("i-2-55-VM", Some("i-2-55-VM"), true),
            // A tenant's who has given a VM the MAC of another.
            ("i-2-55-VM", Some("i-7-9-VM"), false),
            ("i-2-55-VM", Some("i-2-55-BE"), false),
            // By hand.
            ("i-2-55-VM", Some("web"), true),
            ("web", Some("i-2-55-VM"), true),
            ("i-2-55-VM", Some("i-am-one"), true),
            ("i-2-55-VM", Some("i-2-VM"), true),
        ] {
            assert_eq!(may_be(vm, recorded), wanted, "{vm} {recorded:?}");
        }
    }
}
