//! What the maps should hold, by interface name.

use std::collections::{BTreeMap, BTreeSet};

use ipv6_sg_common::abi;
use ipv6_sg_common::address::Address;

use super::access::PortRules;
use super::prefix::Prefix;

/// What the maps should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Every port of the state, whether its interface exists or not, by interface.
    pub ports: BTreeMap<String, PortImage>,
}

/// What the maps should hold for one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortImage {
    /// The VM's name, for people.
    pub vm: String,
    /// The host-side interface.
    pub interface: String,
    /// The port's entry.
    pub port: abi::Port,
    /// The port's entries in the source map, as address and prefix length: extra addresses, delegated prefixes, and
    /// SLAAC addresses beyond the inline slots.
    pub sources: BTreeSet<Prefix>,
    /// The port's entries in the router map.
    pub routers: BTreeSet<Address>,
    /// What its security groups let through; `None` when no rules apply to it.
    pub rules: Option<PortRules>,
}

impl PortImage {
    /// The whole source set, as address and prefix length, for display: what a port may use, each once, link-local
    /// first, then by address.
    pub fn source_set(&self) -> Vec<Prefix> {
        std::iter::once((self.port.link_local, 128)).chain(self.beyond_the_link()).collect()
    }

    /// The source set without the link-local address, by address: what the port is known by beyond its link.
    pub fn beyond_the_link(&self) -> BTreeSet<Prefix> {
        let slaac = self.port.slaac.iter().map(|address| (*address, 128));
        // Slots that are not used hold the link-local address.
        let slaac = slaac.filter(|(address, _)| *address != self.port.link_local);
        slaac.chain(self.sources.iter().copied()).collect()
    }
}

/// A member of a source set for people: an address, or a prefix with its length.
pub fn source_text((address, length): Prefix) -> String {
    if length == 128 { address.to_string() } else { format!("{address}/{length}") }
}
