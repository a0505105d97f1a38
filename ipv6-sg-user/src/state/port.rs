//! A port as it is wanted.

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::mac::Mac;

use super::{Echo, Origin};

/// One VM NIC's host-side interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The VM's name; a VM may have several ports.
    pub vm: String,
    /// The host-side interface.
    pub interface: String,
    /// The VM's MAC.
    pub mac: Mac,
    /// The name of the network it is on.
    pub network: String,
    /// Single addresses beyond the computed ones.
    pub addresses: Vec<Address>,
    /// Prefixes that are the VM's as a whole.
    pub delegated: Vec<Ipv6Net>,
    /// The names of its groups; `None` guards it against spoofing only.
    pub security_groups: Option<Vec<String>>,
    /// Its own answer to the daemon's `echo`.
    pub echo: Option<Echo>,
    /// Where it was defined.
    pub origin: Origin,
}
