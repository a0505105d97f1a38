//! Who of the agent's NICs has what, where two were given the same: one that is here before one that is not any more.
//!
//! Two that are both here are a mistake that only the agent can mend: nothing is taken from either.

use std::collections::HashSet;
use std::mem;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use ipv6_sg_common::mac::Mac;

use super::declare::Presence;
use crate::state::Port;

/// What NICs have.
#[derive(Debug, Default)]
struct Claims {
    interfaces: HashSet<String>,
    macs: HashSet<(String, Mac)>,
    addresses: HashSet<Ipv6Addr>,
    delegated: Vec<Ipv6Net>,
}

/// What those have that came before, who have to come in the order of their presence.
#[derive(Debug, Default)]
pub(super) struct Living {
    /// Those of a stronger presence.
    before: Claims,
    /// Those of the same.
    beside: Claims,
    presence: Option<Presence>,
}

impl Living {
    /// The port, without what others have; `None` if they are in its place. `announced` is what its own address is formed from.
    pub(super) fn admit(&mut self, mut port: Port, announced: Option<Ipv6Net>, presence: Presence) -> Option<Port> {
        if self.presence != Some(presence) {
            self.presence = Some(presence);
            self.before.extend(mem::take(&mut self.beside));
        }
        let slaac = announced.map(|prefix| eui64::slaac(Address::from_ip(prefix.addr()), port.mac).to_ip());
        let before = &self.before;
        let is_taken = before.interfaces.contains(&port.interface)
            || before.macs.contains(&(port.network.clone(), port.mac))
            || slaac.is_some_and(|address| before.has(&address.into()));
        if is_taken {
            return None;
        }
        port.addresses.retain(|address| !before.has(&address.to_ip().into()));
        port.delegated.retain(|prefix| !before.has(prefix));
        self.beside.interfaces.insert(port.interface.clone());
        self.beside.macs.insert((port.network.clone(), port.mac));
        self.beside.addresses.extend(port.addresses.iter().map(|address| address.to_ip()).chain(slaac));
        self.beside.delegated.extend(&port.delegated);
        Some(port)
    }
}

impl Claims {
    /// Whether somebody has something of these addresses.
    fn has(&self, prefix: &Ipv6Net) -> bool {
        let one = (prefix.prefix_len() == 128).then(|| prefix.addr());
        let of_many = || self.addresses.iter().any(|address| prefix.contains(address));
        one.map_or_else(of_many, |address| self.addresses.contains(&address))
            || self.delegated.iter().any(|other| other.contains(prefix) || prefix.contains(other))
    }

    fn extend(&mut self, other: Self) {
        self.interfaces.extend(other.interfaces);
        self.macs.extend(other.macs);
        self.addresses.extend(other.addresses);
        self.delegated.extend(other.delegated);
    }
}
