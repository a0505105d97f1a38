//! The taps that are on this host now, as the kernel lists them.

use std::io;

use ipv6_sg_common::mac::Mac;
use nix::ifaddrs::getifaddrs;

use crate::cloudstack::Taps;

/// All interfaces of this network namespace that have a MAC.
///
/// # Errors
/// The kernel does not list them.
pub fn present() -> io::Result<Taps> {
    let links = getifaddrs()?.filter_map(|entry| {
        let octets = entry.address?.as_link_addr()?.addr()?;
        Some((entry.interface_name, Mac { octets }))
    });
    Ok(Taps::new(links))
}
