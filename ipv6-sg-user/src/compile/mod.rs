//! Desired state → what the maps should hold. Pure: no files, no kernel, no clock.
//!
//! Interfaces are named, not numbered: which of them exist, and as which ifindex, is the daemon's to know.

mod access;
pub mod allowance;
mod allowances;
pub mod host;
mod image;
mod members;
mod memory;
mod numbers;
mod prefix;
mod rehearsal;
mod ruleset;
pub mod written;

pub use access::{Access, PortRules};
pub use allowance::{Allowance, Grant, Service};
pub use host::HostTables;
pub use image::{Image, PortImage, source_text};
pub use memory::Memory;
pub use prefix::{Prefix, first};
pub use rehearsal::{Question, Rehearsal};
pub use ruleset::Ruleset;

use ipv6_sg_common::abi::{self, MAX_PEERS, MAX_PORTS, MAX_ROUTERS, MAX_SERVICES, MAX_SOURCES, PortFlags, SLAAC_SLOTS};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use ipv6_sg_common::mac::Mac;

use crate::state::{Echo, Ipv4, Model, Network, Port, Settings};

/// A state that is sound and does not fit into the maps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state has {found} {what}, and a host can have {most}; remove some from the state files")]
pub struct TooMany {
    /// Of what.
    pub what: &'static str,
    /// How many there are.
    pub found: usize,
    /// How many there can be.
    pub most: u32,
}

/// What the maps should hold for this state.
///
/// # Errors
/// The state is too large for the maps.
pub fn compile(model: &Model, settings: &Settings) -> Result<Image, TooMany> {
    compile_again(model, settings, &mut Memory::default())
}

/// The same as [`compile`], in less time where the memory is that of a compilation of much the same.
///
/// # Errors
/// As [`compile`].
pub fn compile_again(model: &Model, settings: &Settings, memory: &mut Memory) -> Result<Image, TooMany> {
    let ports =
        model.ports_on_networks().map(|(port, network)| (port.interface.clone(), self::port(port, network, settings)));
    let mut image = Image { ports: ports.collect() };
    let sum = |count: fn(&PortImage) -> usize| image.ports.values().map(count).sum();
    at_most("ports", image.ports.len(), MAX_PORTS)?;
    at_most("prefixes and extra addresses", sum(|port| port.sources.len()), MAX_SOURCES)?;
    at_most("routers, counted for every port of their networks", sum(|port| port.routers.len()), MAX_ROUTERS)?;
    access::give_rules(&mut image, model, memory)?;
    Ok(image)
}

fn at_most(what: &'static str, found: usize, most: u32) -> Result<(), TooMany> {
    if u32::try_from(found).is_ok_and(|found| found <= most) { Ok(()) } else { Err(TooMany { what, found, most }) }
}

/// The port of a tap whose state has not arrived: nothing passes.
pub const fn quarantined() -> abi::Port {
    abi::Port::new(Mac { octets: [0; 6] }, PortFlags::QUARANTINED)
}

fn port(port: &Port, network: &Network, settings: &Settings) -> PortImage {
    let addresses = network.prefixes.iter().map(|prefix| eui64::slaac(Address::from_ip(prefix.addr()), port.mac));
    let mut compiled = abi::Port::new(port.mac, PortFlags::default());
    for (slot, address) in compiled.slaac.iter_mut().zip(addresses.clone()) {
        *slot = address;
    }
    let surplus = addresses.skip(SLAAC_SLOTS).map(|address| (address, 128));
    let extra = port.addresses.iter().map(|address| (*address, 128));
    let delegated = port.delegated.iter().map(|prefix| (Address::from_ip(prefix.addr()), prefix.prefix_len()));
    let mut image = PortImage {
        vm: port.vm.clone(),
        interface: port.interface.clone(),
        port: compiled,
        sources: surplus.chain(extra).chain(delegated).collect(),
        routers: network.routers.iter().copied().collect(),
        rules: None,
    };
    // Rules exist only for ports in security groups: without them nothing could ever allow the echo.
    let echo_rules = port.security_groups.is_some() && port.echo.unwrap_or(settings.echo) == Echo::Rules;
    image.port.flags = PortFlags::default()
        .with(PortFlags::IPV4_DROP, settings.ipv4 == Ipv4::Drop)
        .with(PortFlags::ECHO_RULES, echo_rules)
        .with(PortFlags::HAS_SOURCES, !image.sources.is_empty())
        .with(PortFlags::HAS_ROUTERS, !image.routers.is_empty())
        .with(PortFlags::HAS_RULES, port.security_groups.is_some());
    image
}

#[cfg(test)]
mod tests;
