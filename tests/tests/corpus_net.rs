//! The corpus through a live port: frames sent on a raw socket at one end, seen at the other, and counted in between.
//!
//! ```text
//!  namespace "vm"     namespace "host"
//!      vm ────────── tap ── br0 ── up0 ────────── wire (namespace "net")
//!                     └ the programs
//! ```
//!
//! What passes from the VM crosses the bridge; a packet socket on the tap itself would see frames before the program
//! does. The interfaces have no addresses and IPv6 is off, so every frame is the test's own and counters are exact.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::path::Path;

use ipv6_sg_common::abi::{CAPTURE, Counters, Direction};
use ipv6_sg_common::packet::ETHERNET_HEADER;
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::corpus::{self, Case};
use ipv6_sg_tests::frame::Frame;
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::lab::{Netns, Wire, eventually};
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::paged::{LEAST, Paged};
use ipv6_sg_tests::world::Ports;

/// A port between two wires.
struct Live {
    /// Before the wires: what is attached goes before the interface does.
    object: Object,
    vm: Wire,
    /// The tap, from the host's side.
    tap: Wire,
    /// Beyond the bridge.
    net: Wire,
    namespaces: [Netns; 3],
    shielded: bool,
}

impl Live {
    fn new(role: &str) -> Self {
        let [vm, host, net] = ["vm", "host", "net"].map(|part| Netns::new(&format!("{role}-{part}")));
        for netns in [&vm, &host, &net] {
            for which in ["all", "default"] {
                netns.sysctl(&format!("ipv6/conf/{which}/disable_ipv6"), "1");
            }
        }
        // Nothing may be learnt: the corpus lies about its MACs, and a bridge that believed it would send frames back.
        host.ip(&format!(
            "link add name br0 mtu 9000 type bridge mcast_snooping 0
             link add name tap mtu 9000 type veth peer name vm netns {}
             link add name up0 mtu 9000 type veth peer name wire netns {}
             link set dev tap master br0
             link set dev tap type bridge_slave learning off
             link set dev up0 master br0
             link set dev up0 type bridge_slave learning off
             link set dev tap up
             link set dev up0 up
             link set dev br0 up",
            vm.name(),
            net.name(),
        ));
        vm.ip("link set dev vm mtu 9000 up");
        net.ip("link set dev wire mtu 9000 up");
        // Where the machine passes bridged packets to iptables, malformed ones would die there.
        for table in ["iptables", "ip6tables", "arptables"] {
            let key = format!("bridge/bridge-nf-call-{table}");
            if host.inside(|| Path::new("/proc/sys/net").join(&key).exists()) {
                host.sysctl(&key, "0");
            }
        }
        for interface in ["br0", "tap", "up0"] {
            host.sysctl(&format!("ipv6/conf/{interface}/disable_ipv6"), "1");
        }
        // Once a frame gets through both ways the bridge's ports are forwarding.
        let wires = [Wire::open(&vm, "vm"), Wire::open(&host, "tap"), Wire::open(&net, "wire")];
        let [vm_wire, tap_wire, net_wire] = wires;
        let hello = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 0x88, 0xb5], &[0; 46]].concat();
        for (from, to) in [(&vm_wire, &net_wire), (&net_wire, &vm_wire)] {
            eventually("a way through the bridge", || {
                from.send_bytes(&hello);
                to.drain().contains(&hello).then_some(())
            });
        }
        let object = Object::attached(&host, "tap", &Ports::Plain.setup());
        let live =
            Self { object, vm: vm_wire, tap: tap_wire, net: net_wire, namespaces: [vm, host, net], shielded: false };
        live.vm.drain();
        live.net.drain();
        live
    }

    /// Puts the shield before the tc program.
    fn shield(mut self) -> Self {
        let [_, host, _] = &self.namespaces;
        self.object.shield(host, "tap");
        Self { shielded: true, ..self }
    }

    /// Runs one case and compares everything there is to see of it.
    fn check(&mut self, case: &Case) {
        self.object.set(&case.ports.setup());
        for (step, (frame, reason)) in case.steps.iter().enumerate() {
            if frame.bytes.len() < ETHERNET_HEADER {
                // Not even a raw socket sends these.
                assert!(self.vm.try_send(&frame.bytes).is_err(), "{}", case.name);
                continue;
            }
            let name = format!("{} step {step}", case.name);
            let seen_length = match case.direction {
                Direction::FromVm => {
                    let sent = tagged(frame);
                    self.vm.send_bytes(&sent);
                    // On its way to tc the kernel takes the outermost tag off the frame and keeps it beside.
                    if untagged(&sent) && !self.shielded { sent.len() - 4 } else { sent.len() }
                }
                Direction::ToVm if frame.tagged_beside => {
                    // The tag comes to lie beside the frame on its way through the bridge.
                    self.net.send_bytes(&tagged(frame));
                    frame.bytes.len()
                }
                Direction::ToVm => {
                    // The sender on the host learns of a drop at once.
                    let sent = self.tap.try_send(&frame.bytes).map_err(|error| error.raw_os_error());
                    let refused = reason.action() == Action::Drop;
                    assert_eq!(sent, if refused { Err(Some(libc::ENOBUFS)) } else { Ok(()) }, "{name}, {reason}");
                    frame.bytes.len()
                }
            };
            let mut wanted = Counters::default();
            let count = wanted.direction_mut(case.direction).of_mut(*reason);
            (count.packets, count.bytes) = (1, seen_length as u64);
            self.expect(&name, case.direction, frame, *reason, &wanted);
        }
    }

    /// Runs one case with every frame made so long that all but its first `linear` bytes lie in pages. The longer frame
    /// may come to another verdict, so it is the host core that says which.
    fn check_paged(&mut self, case: &Case, sender: &Paged, linear: u16) {
        self.object.set(&case.ports.setup());
        let host = Host::new(case.ports.setup());
        for (step, (frame, _)) in case.steps.iter().enumerate() {
            if frame.tagged_beside || frame.bytes.len() < ETHERNET_HEADER || untagged(&frame.bytes) {
                continue;
            }
            let mut frame = frame.clone();
            frame.bytes.resize(PAGED, 0);
            let name = format!("{} step {step} with {linear} bytes not in pages", case.name);
            let reason = host.judge(case.direction, &frame);
            let sent = sender.send(&frame.bytes, linear).map_err(|error| error.raw_os_error());
            let learns = case.direction == Direction::ToVm && reason.action() == Action::Drop;
            assert_eq!(sent, if learns { Err(Some(libc::ENOBUFS)) } else { Ok(()) }, "{name}, {reason}");
            let mut wanted = Counters::default();
            let count = wanted.direction_mut(case.direction).of_mut(reason);
            (count.packets, count.bytes) = (1, PAGED as u64);
            if reason.action() == Action::Drop {
                let event = eventually(&format!("{name}: an event"), || self.object.event());
                assert_eq!(
                    (Reason::from_number(event.reason), usize::from(event.captured)),
                    (Some(reason), CAPTURE),
                    "{name}"
                );
                assert_eq!(event.bytes, frame.bytes[..CAPTURE], "{name}");
            }
            self.expect(&name, case.direction, &frame, reason, &wanted);
        }
    }

    /// Waits for the frame to be counted, and where it passes, for the frame itself.
    fn expect(&mut self, name: &str, direction: Direction, frame: &Frame, reason: Reason, wanted: &Counters) {
        let nothing = Counters::default();
        let counted = eventually(&format!("{name} is counted"), || {
            let counters = self.object.counters();
            (counters != nothing).then_some(counters)
        });
        let died: Vec<_> =
            Reason::ALL.into_iter().filter(|reason| counted.direction(direction).of(*reason).packets != 0).collect();
        assert_eq!(&counted, wanted, "{name}: {died:?}, not {reason}: {frame:?}");
        let far = match direction {
            Direction::FromVm => &self.net,
            Direction::ToVm => &self.vm,
        };
        let seen = match reason.action() {
            Action::Pass => {
                let mut seen = far.until(name, |seen| seen == frame.bytes);
                seen.pop();
                seen
            }
            // What should have died and comes later is the next case's first frame, and is found there.
            Action::Drop => far.drain(),
        };
        assert!(seen.is_empty(), "{name}: {seen:02x?} came through");
        self.object.forget_counts();
    }
}

/// How long frames are made that are to lie in pages.
const PAGED: usize = LEAST + 904;

/// The frame as it is on the wire: a tag that is to lie beside it is in it.
fn tagged(frame: &Frame) -> Vec<u8> {
    let mut bytes = frame.bytes.clone();
    if frame.tagged_beside {
        bytes.splice(12..12, [0x81, 0x00, 0x00, 0x05]);
    }
    bytes
}

/// Whether the kernel takes a tag off these bytes when they arrive.
fn untagged(bytes: &[u8]) -> bool {
    matches!(bytes[12..14], [0x81, 0x00] | [0x88, 0xa8]) && bytes.len() >= ETHERNET_HEADER + 4
}

#[test]
fn from_the_vm() {
    let mut live = Live::new("out");
    for case in corpus::all().iter().filter(|case| case.direction == Direction::FromVm) {
        live.check(case);
    }
    assert!(live.net.drain().is_empty(), "something came through late");
}

/// Each frame is counted once, by whichever of the two dropped it or by tc when it passed: the reasons are the same.
#[test]
fn from_the_vm_behind_the_shield() {
    let mut live = Live::new("shield").shield();
    for case in corpus::all().iter().filter(|case| case.direction == Direction::FromVm) {
        live.check(case);
    }
    assert!(live.net.drain().is_empty(), "something came through late");
}

#[test]
fn to_the_vm() {
    let mut live = Live::new("in");
    for case in corpus::all().iter().filter(|case| case.direction == Direction::ToVm) {
        live.check(case);
    }
    assert!(live.vm.drain().is_empty(), "something came through late");
}

/// Only the Ethernet header is linear, or the IPv6 header too, or some of what follows: the program has to fetch the
/// rest, and says the same.
#[test]
fn headers_in_pages() {
    let mut live = Live::new("paged");
    let [vm, host, _] = &live.namespaces;
    let (from_vm, to_vm) = (Paged::open(vm, "vm"), Paged::open(host, "tap"));
    for case in corpus::all() {
        let sender = if case.direction == Direction::FromVm { &from_vm } else { &to_vm };
        for linear in [14, 54, 62, 81] {
            live.check_paged(&case, sender, linear);
        }
    }
}
