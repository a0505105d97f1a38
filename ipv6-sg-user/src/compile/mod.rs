//! Desired state → what the maps should hold. Pure: no files, no kernel, no clock.
//!
//! Interfaces are named, not numbered: which of them exist, and as which ifindex, is the daemon's to know.

pub mod host;
mod image;

pub use host::HostTables;
pub use image::{Image, PortImage, source_text};

use ipv6_sg_common::abi::{self, MAX_PORTS, MAX_ROUTERS, MAX_SOURCES, PortFlags, SLAAC_SLOTS};
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
    let ports =
        model.ports_on_networks().map(|(port, network)| (port.interface.clone(), self::port(port, network, settings)));
    let image = Image { ports: ports.collect() };
    let sum = |count: fn(&PortImage) -> usize| image.ports.values().map(count).sum();
    for (what, found, most) in [
        ("ports", image.ports.len(), MAX_PORTS),
        ("prefixes and extra addresses", sum(|port| port.sources.len()), MAX_SOURCES),
        ("routers, counted for every port of their networks,", sum(|port| port.routers.len()), MAX_ROUTERS),
    ] {
        if u32::try_from(found).map_or(true, |found| found > most) {
            return Err(TooMany { what, found, most });
        }
    }
    Ok(image)
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
        has_security_groups: port.security_groups.is_some(),
    };
    // Rules exist only for ports in security groups: without them nothing could ever allow the echo.
    let echo_rules = image.has_security_groups && port.echo.unwrap_or(settings.echo) == Echo::Rules;
    image.port.flags = PortFlags::default()
        .with(PortFlags::IPV4_DROP, settings.ipv4 == Ipv4::Drop)
        .with(PortFlags::ECHO_RULES, echo_rules)
        .with(PortFlags::HAS_SOURCES, !image.sources.is_empty())
        .with(PortFlags::HAS_ROUTERS, !image.routers.is_empty());
    image
}

#[cfg(test)]
mod tests;
