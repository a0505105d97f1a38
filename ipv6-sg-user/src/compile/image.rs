//! What the maps should hold, by interface name.

use std::collections::{BTreeMap, BTreeSet};

use ipv6_sg_common::abi;
use ipv6_sg_common::address::Address;

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
    pub sources: BTreeSet<(Address, u8)>,
    /// The port's entries in the router map.
    pub routers: BTreeSet<Address>,
    /// Whether rules apply to the port.
    pub has_security_groups: bool,
}

impl PortImage {
    /// The whole source set, as address and prefix length, for display: what a port may use, each once, link-local
    /// first, then by address.
    pub fn source_set(&self) -> Vec<(Address, u8)> {
        let link_local = (self.port.link_local, 128);
        let slaac = self.port.slaac.iter().map(|address| (*address, 128));
        let mut set: BTreeSet<_> = slaac.chain(self.sources.iter().copied()).collect();
        set.remove(&link_local);
        std::iter::once(link_local).chain(set).collect()
    }
}

/// A member of a source set for people: an address, or a prefix with its length.
pub fn source_text((address, length): (Address, u8)) -> String {
    if length == 128 { address.to_string() } else { format!("{address}/{length}") }
}
