//! The taps that are on this host now, as the kernel lists them, and libvirt where that leaves open whose they are.

use std::io;
use std::path::Path;

use crate::cloudstack::Taps;
use crate::cloudstack::agent::{self, Registry};
use crate::cloudstack::api::{self, Inventory};
use crate::cloudstack::libvirt::{self, LibvirtError};
use crate::links::{self, Link};

/// All interfaces of this network namespace that have a MAC.
///
/// # Errors
/// The kernel does not list them.
pub fn present() -> io::Result<Taps> {
    links::present().map(taps)
}

/// Those of these interfaces that have a MAC.
pub fn taps(links: Vec<Link>) -> Taps {
    Taps::new(links.into_iter().filter_map(|link| Some((link.name, link.mac?))))
}

/// Asks libvirt whose they are, where that is not certain and was not told before: reading what it says of all VMs is not for every
/// occasion. Whether it is known of each then.
///
/// # Errors
/// It does not say.
pub fn tell_apart(
    taps: &mut Taps,
    agent: &Registry,
    asked: Option<&Inventory>,
    libvirt_dir: &Path,
) -> Result<bool, LibvirtError> {
    let are_told = |taps: &Taps| {
        taps.are_told_apart()
            && agent::are_told(agent, taps)
            && asked.is_none_or(|inventory| api::are_told(inventory, taps))
    };
    if are_told(taps) {
        return Ok(true);
    }
    taps.tell_apart(libvirt::domains(libvirt_dir)?.values());
    Ok(are_told(taps))
}
