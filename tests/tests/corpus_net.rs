//! The corpus through a live port: frames sent on a raw socket at one end, seen at the other, and counted in between.
//!
//! ```text
//!  the VM's namespace   the hypervisor's
//!          eth0 ───────── tap ── br0 ── up0 ───────── eth0 (the network's namespace)
//!                          └ the programs
//! ```
//!
//! What passes from the VM crosses the bridge; a packet socket on the tap itself would see frames before the program
//! does. The interfaces have no addresses and IPv6 is off, so every frame is the test's own and counters are exact.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use ipv6_sg_common::abi::{CAPTURE, Counters, Direction};
use ipv6_sg_common::packet::{ETHERNET_HEADER, Offload};
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::corpus::{self, Case};
use ipv6_sg_tests::frame::Frame;
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::lab::tap::{NEEDS_CSUM, VnetHdr};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, LEAST, VnetSocket, Wire, eventually};
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::world::{Ports, ROUTER_MAC, VM_MAC};

/// A port between two wires.
struct Live {
    /// Before the wires: what is attached goes before the interface does.
    object: Object,
    vm: Wire,
    /// The tap, from the host's side.
    tap: Wire,
    /// Beyond the bridge.
    net: Wire,
    /// The first two, for frames that are left unfinished.
    unfinished: [VnetSocket; 2],
    guest: Guest,
    _beyond: Guest,
    hypervisor: Hypervisor,
    shielded: bool,
}

impl Live {
    fn new() -> Self {
        let hypervisor = Hypervisor::new();
        let [vm, net] = [("tap", VM_MAC), ("up0", ROUTER_MAC)].map(|(port, mac)| {
            let guest = hypervisor.guest(port, mac, Ip::Silent);
            // Nothing may be learnt: the corpus lies about its MACs, and a bridge that believed it would send frames back.
            hypervisor.netns.ip(&format!("link set {port} mtu 9000\nlink set {port} type bridge_slave learning off"));
            guest.netns.ip("link set eth0 mtu 9000");
            guest
        });
        hypervisor.netns.ip("link set br0 mtu 9000");
        let tap = Wire::open(&hypervisor.netns, "tap");
        let object = Object::attached(&hypervisor.netns, "tap", &Ports::Plain.setup());
        let unfinished = [VnetSocket::open(&vm.netns, "eth0"), VnetSocket::open(&hypervisor.netns, "tap")];
        let (vm_wire, net_wire, shielded) = (vm.wire(), net.wire(), false);
        Self { object, vm: vm_wire, tap, net: net_wire, unfinished, guest: vm, _beyond: net, hypervisor, shielded }
    }

    /// Puts the shield before the tc program.
    fn shield(mut self) -> Self {
        self.object.shield(&self.hypervisor.netns, "tap");
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
            if frame.offload != Offload::NONE {
                if self.send_unfinished(case.direction, frame) {
                    let wanted = counted(case.direction, *reason, frame.bytes.len());
                    self.expect(&name, case.direction, frame, *reason, &wanted);
                }
                continue;
            }
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
            let wanted = counted(case.direction, *reason, seen_length);
            self.expect(&name, case.direction, frame, *reason, &wanted);
        }
    }

    /// Sends a frame whose checksum is due, if the kernel takes it: newer ones refuse what no tap may ask either, and older
    /// ones forget what is due in the Ethernet header as they take that off at the end of a veth pair. Segments change what
    /// arrives, and have tests of their own.
    fn send_unfinished(&self, direction: Direction, frame: &Frame) -> bool {
        let at = frame.offload.checksum_at;
        let forgotten = direction == Direction::FromVm && at < ETHERNET_HEADER;
        if frame.offload.segmented || at + 2 > frame.bytes.len() || forgotten {
            return false;
        }
        let csum_start = u16::try_from(at).expect("inside the frame");
        let header = VnetHdr { flags: NEEDS_CSUM, csum_start, ..VnetHdr::default() };
        let [from_vm, to_vm] = &self.unfinished;
        let sender = if direction == Direction::FromVm { from_vm } else { to_vm };
        match sender.send(&header, &frame.bytes).map_err(|error| error.raw_os_error()) {
            Err(Some(libc::EINVAL)) if csum_start < 20 => false,
            Err(Some(libc::ENOBUFS)) if direction == Direction::ToVm => true,
            sent => {
                assert_eq!(sent, Ok(()), "{frame:?}");
                true
            }
        }
    }

    /// Runs one case with every frame made so long that all but its first `linear` bytes lie in pages. The longer frame
    /// may come to another verdict, so it is the host core that says which.
    fn check_paged(&mut self, case: &Case, sender: &VnetSocket, linear: u16) {
        self.object.set(&case.ports.setup());
        let host = Host::new(case.ports.setup());
        for (step, (frame, _)) in case.steps.iter().enumerate() {
            let beside = frame.tagged_beside || frame.offload != Offload::NONE;
            if beside || frame.bytes.len() < ETHERNET_HEADER || untagged(&frame.bytes) {
                continue;
            }
            let mut frame = frame.clone();
            frame.bytes.resize(PAGED, 0);
            let name = format!("{} step {step} with {linear} bytes not in pages", case.name);
            let reason = host.judge(case.direction, &frame);
            let sent = sender.send_paged(&frame.bytes, linear).map_err(|error| error.raw_os_error());
            let learns = case.direction == Direction::ToVm && reason.action() == Action::Drop;
            assert_eq!(sent, if learns { Err(Some(libc::ENOBUFS)) } else { Ok(()) }, "{name}, {reason}");
            let wanted = counted(case.direction, reason, PAGED);
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

/// One packet of this length.
fn counted(direction: Direction, reason: Reason, length: usize) -> Counters {
    let mut counters = Counters::default();
    let count = counters.direction_mut(direction).of_mut(reason);
    (count.packets, count.bytes) = (1, length as u64);
    counters
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
    let mut live = Live::new();
    for case in corpus::all().iter().filter(|case| case.direction == Direction::FromVm) {
        live.check(case);
    }
    assert!(live.net.drain().is_empty(), "something came through late");
}

/// Each frame is counted once, by whichever of the two dropped it or by tc when it passed: the reasons are the same.
#[test]
fn from_the_vm_behind_the_shield() {
    let mut live = Live::new().shield();
    for case in corpus::all().iter().filter(|case| case.direction == Direction::FromVm) {
        live.check(case);
    }
    assert!(live.net.drain().is_empty(), "something came through late");
}

#[test]
fn to_the_vm() {
    let mut live = Live::new();
    for case in corpus::all().iter().filter(|case| case.direction == Direction::ToVm) {
        live.check(case);
    }
    assert!(live.vm.drain().is_empty(), "something came through late");
}

/// Only the Ethernet header is linear, or the IPv6 header too, or some of what follows: the program has to fetch the
/// rest, and says the same.
#[test]
fn headers_in_pages() {
    let mut live = Live::new();
    let (from_vm, to_vm) =
        (VnetSocket::open(&live.guest.netns, "eth0"), VnetSocket::open(&live.hypervisor.netns, "tap"));
    for case in corpus::all() {
        let sender = if case.direction == Direction::FromVm { &from_vm } else { &to_vm };
        for linear in [14, 54, 62, 81] {
            live.check_paged(&case, sender, linear);
        }
    }
}
