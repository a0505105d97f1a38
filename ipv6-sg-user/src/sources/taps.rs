//! The taps that are on this host now, as the kernel lists them.

use std::io;

use crate::cloudstack::Taps;
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
