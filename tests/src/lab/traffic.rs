//! Frames that never pause, honest and forged in turn, so that a moment without a guard shows.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;

use super::{Guest, eventually};
use crate::frame::{Frame, Ipv6, udp};
use crate::world::VM_PRIVACY;

/// Between an honest frame and the next.
const PACE: Duration = Duration::from_micros(300);
/// Where the numbers are: behind the headers of Ethernet, IPv6 and UDP.
const PAYLOAD: usize = 14 + 40 + 8;
const HONEST: &[u8] = b"honest";
const FORGED: &[u8] = b"forged";

/// A stream from one guest to another.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    sender: JoinHandle<u64>,
    receiver: JoinHandle<(BTreeSet<u64>, u64)>,
}

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

/// A datagram between guests, which says what it is and which.
fn datagram(from: &Guest, to: &Guest, source: Ipv6Addr, kind: &[u8], number: u64) -> Frame {
    let data = [kind, &number.to_be_bytes()].concat();
    let packet = Ipv6::new(source, address(to), udp(4000, 4000, &data));
    packet.ethernet(Direction::FromVm).from(from.mac).to(to.mac).build()
}

/// An honest datagram between guests.
pub fn honest(from: &Guest, to: &Guest, number: u64) -> Frame {
    datagram(from, to, address(from), HONEST, number)
}

/// A datagram from an address of the guest's /64 that is not the guest's.
pub fn forged(from: &Guest, to: &Guest, number: u64) -> Frame {
    datagram(from, to, VM_PRIVACY, FORGED, number)
}

impl Traffic {
    /// Starts the stream.
    pub fn start(from: &Guest, to: &Guest) -> Self {
        let (out, into) = (from.wire(), to.wire());
        let stop = Arc::new(AtomicBool::new(false));
        let received = Arc::new(AtomicU64::new(0));
        let frame = |number, build: fn(&Guest, &Guest, u64) -> Frame| build(from, to, number).bytes;
        let templates = (frame(0, honest), frame(0, forged));
        // Checksums nobody looks at: only the number changes.
        let numbered = |template: &[u8], number: u64| {
            let mut bytes = template.to_vec();
            bytes[PAYLOAD + HONEST.len()..].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        let stopped = Arc::clone(&stop);
        let sender = thread::spawn(move || {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                out.send_bytes(&numbered(&templates.1, number));
                out.send_bytes(&numbered(&templates.0, number));
                number += 1;
                thread::sleep(PACE);
            }
            number
        });
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&received));
        let receiver = thread::spawn(move || {
            let (mut numbers, mut leaked) = (BTreeSet::new(), 0);
            loop {
                let Some(frame) = into.receive(Duration::from_secs(1)) else {
                    // What was sent before the end is here, or will never be.
                    if stopped.load(Ordering::Relaxed) {
                        return (numbers, leaked);
                    }
                    continue;
                };
                match frame.get(PAYLOAD..).and_then(|data| data.split_at_checked(HONEST.len())) {
                    Some((HONEST, number)) => {
                        numbers.insert(u64::from_be_bytes(number.try_into().expect("8 bytes")));
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Some((FORGED, _)) => leaked += 1,
                    _ => {}
                }
            }
        });
        Self { stop, received, sender, receiver }
    }

    /// Waits until as many more honest frames have arrived.
    #[track_caller]
    pub fn flow(&self, more: u64) {
        let before = self.received.load(Ordering::Relaxed);
        eventually("traffic", || (self.received.load(Ordering::Relaxed) >= before + more).then_some(()));
    }

    /// Ends the stream.
    pub fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().expect("the sender");
        let (arrived, leaked) = self.receiver.join().expect("the receiver");
        Report { sent, lost: (0..sent).filter(|number| !arrived.contains(number)).collect(), leaked }
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
