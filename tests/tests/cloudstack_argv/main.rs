//! The calls of CloudStack's agent word for word, in its order of flags, through the link that has its script's name.
//!
//! - [`row`]: a call, what the stock script makes of it, what this program does, and what holds then
//! - [`life`]: the host, and what happens there between calls
//! - [`one_nic`], [`two_nics`], [`system`]: tables of VMs' lives; [`refused`]: one of what cannot be done
//! - [`long`]: the longest call that there can be

mod life;
mod long;
mod one_nic;
mod refused;
mod row;
mod system;
mod two_nics;

use life::Life;
use row::Row;

/// Makes these calls, on a host with these settings.
fn live(settings: &str, calls: &[Row]) {
    let life = Life::new(settings);
    let daemon = life.host.hypervisor.daemon();
    life.live(calls);
    daemon.assert_never("ERROR");
}

#[test]
fn a_vm_with_one_nic() {
    live("", one_nic::CALLS);
}

#[test]
fn a_vm_with_two_nics() {
    live("", two_nics::CALLS);
}

#[test]
fn a_system_vm() {
    live("quarantine = [\"vnet*\"]", system::CALLS);
}

#[test]
fn calls_that_cannot_be_done() {
    live("", refused::CALLS);
}
