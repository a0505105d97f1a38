//! Frames that never pause, honest and forged in turn, so that a moment without a guard shows.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;

use super::{Guest, Leg, Streams};
use crate::frame::{Frame, Ipv6, udp};
use crate::world::VM_PRIVACY;

const HONEST: &[u8] = b"honest";
const FORGED: &[u8] = b"forged";
/// The legs, in the order they send.
const FORGED_LEG: usize = 0;
const HONEST_LEG: usize = 1;

/// A stream from one guest to another.
pub struct Traffic(Streams);

/// What became of it. Of each kind as many were sent.
#[derive(Debug)]
pub struct Report {
    /// Frames sent of each kind.
    pub sent: u64,
    /// Honest frames that did not arrive.
    pub lost: Vec<u64>,
    /// Forged frames that did.
    pub leaked: u64,
}

/// A guest's address by SLAAC.
pub fn address(guest: &Guest) -> Ipv6Addr {
    eui64::slaac(Address::from(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0)), guest.mac).to_ip()
}

/// A datagram between guests.
fn datagram(to: &Guest, source: Ipv6Addr, data: &[u8]) -> Ipv6 {
    Ipv6::new(source, address(to), udp(4000, 4000, data))
}

/// One that says what it is and which.
fn one(from: &Guest, to: &Guest, source: Ipv6Addr, kind: &[u8], number: u64) -> Frame {
    let packet = datagram(to, source, &[kind, &number.to_be_bytes()].concat());
    packet.ethernet(Direction::FromVm).from(from.mac).to(to.mac).build()
}

/// An honest datagram between guests.
pub fn honest(from: &Guest, to: &Guest, number: u64) -> Frame {
    one(from, to, address(from), HONEST, number)
}

/// A datagram from an address of the guest's /64 that is not the guest's.
pub fn forged(from: &Guest, to: &Guest, number: u64) -> Frame {
    one(from, to, VM_PRIVACY, FORGED, number)
}

impl Traffic {
    /// Starts the stream.
    pub fn start(from: &Guest, to: &Guest) -> Self {
        let leg = |source| Leg::new(from, to, |data| datagram(to, source, data));
        Self(Streams::start(vec![leg(VM_PRIVACY), leg(address(from))]))
    }

    /// Waits until as many more honest frames have arrived.
    #[track_caller]
    pub fn flow(&self, more: u64) {
        self.0.flow(&[HONEST_LEG], more);
    }

    /// Ends the stream.
    pub fn stop(self) -> Report {
        let mut legs = self.0.stop();
        let (honest, forged) = (legs.swap_remove(HONEST_LEG), legs.swap_remove(FORGED_LEG));
        Report { sent: honest.sent, lost: honest.lost, leaked: forged.arrived() }
    }
}

impl Report {
    /// Panics if an honest frame was lost or a forged one arrived.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.sent > 100, "too few frames to tell: {self:?}");
        assert!(self.lost.is_empty() && self.leaked == 0, "{self:?}");
    }
}
