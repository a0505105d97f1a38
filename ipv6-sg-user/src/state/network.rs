//! A network: what its routers announce to the VMs on it.

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;

use super::Origin;

/// A network that ports are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// The /64s announced by RA, each once, without host bits.
    pub prefixes: Vec<Ipv6Net>,
    /// The link-local addresses of its routers; empty when any router is believed.
    pub routers: Vec<Address>,
    /// Where it was defined.
    pub origin: Origin,
}
