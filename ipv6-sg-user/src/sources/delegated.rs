//! Prefixes that are reserved in Kea's database, given to the ports whose MACs they are reserved for.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;

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
    for port in ports {
        by_mac.entry(port.mac).or_default().push(port);
    }
    let mut given = Vec::new();
    let mut not_given: Vec<_> = delegations.malformed.iter().cloned().map(NotGiven::Malformed).collect();
    for delegation in &delegations.delegations {
        let Delegation { mac, prefix } = *delegation;
        match by_mac.get(&mac).map(Vec::as_slice) {
            Some([port]) if !port.delegated.contains(&prefix) => {
                given.push(Given { interface: port.interface.clone(), delegation: delegation.clone() });
            }
            // A MAC is unique in its network alone, and Kea knows no networks.
            Some([one, other, ..]) => {
                let (one, other) = (one.vm.clone(), other.vm.clone());
                not_given.push(NotGiven::Ambiguous { prefix, mac, one, other });
            }
            _ => {}
        }
    }
    (given, not_given)
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
        let Delegation { mac, prefix } = given.delegation;
        Self::Taken { prefix, mac, error }
    }
}
