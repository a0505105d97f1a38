//! A live port: frames sent on a raw socket at one end, seen at the other, and counted in between.
//!
//! ```text
//!  the VM's namespace   the hypervisor's
//!          eth0 ───────── tap ── br0 ── up0 ───────── eth0 (the network's namespace)
//!                          └ the programs
//! ```
//!
//! What passes from the VM crosses the bridge; a packet socket on the tap itself would see frames before the program
//! does. The interfaces have no addresses and IPv6 is off, so every frame is the test's own and counters are exact.

use ipv6_sg_common::abi::{Counters, Direction};
use ipv6_sg_common::packet::{ETHERNET_HEADER, Offload};
use ipv6_sg_common::verdict::{Action, Reason};

use crate::frame::Frame;
use crate::lab::tap::{NEEDS_CSUM, VnetHdr};
use crate::lab::{Guest, Hypervisor, Ip, VnetSocket, Wire, eventually};
use crate::object::{Object, counted, difference};
use crate::world::{Ports, ROUTER_MAC, VM_MAC};

/// A port between two wires.
pub struct Live {
    /// Before the wires: what is attached goes before the interface does.
    pub object: Object,
    /// The VM's end.
    pub vm: Wire,
    /// The tap, from the host's side.
    tap: Wire,
    /// Beyond the bridge.
    net: Wire,
    /// The first two, for frames that are left unfinished.
    unfinished: [VnetSocket; 2],
    /// The VM.
    pub guest: Guest,
    _beyond: Guest,
    /// The host.
    pub hypervisor: Hypervisor,
    shielded: bool,
}

impl Live {
    /// The port of a VM, without the shield.
    pub fn open() -> Self {
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
    #[must_use]
    pub fn shield(mut self) -> Self {
        self.object.shield(&self.hypervisor.netns, "tap");
        Self { shielded: true, ..self }
    }

    /// Lets a frame cross that this must become of, and compares everything there is to see of it.
    #[track_caller]
    pub fn cross(&mut self, name: &str, direction: Direction, frame: &Frame, reason: Reason) {
        if frame.offload != Offload::NONE {
            if self.send_unfinished(direction, frame) {
                self.expect(name, direction, frame, reason, frame.bytes.len());
            }
            return;
        }
        let seen_length = match direction {
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
        self.expect(name, direction, frame, reason, seen_length);
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

    /// Waits for a frame of this length to be counted, and where it passes, for the frame itself.
    #[track_caller]
    pub fn expect(&mut self, name: &str, direction: Direction, frame: &Frame, reason: Reason, length: usize) {
        let nothing = Counters::default();
        let seen = eventually(&format!("{name} is counted"), || {
            let counters = self.object.counters();
            (counters != nothing).then_some(counters)
        });
        let died = difference(&nothing, &seen, direction);
        assert_eq!(seen, counted(nothing, direction, reason, length), "{name}: {died:?}, not {reason}: {frame:?}");
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

    /// Asserts that nothing comes out of the port any more.
    #[track_caller]
    pub fn is_quiet(&self) {
        for wire in [&self.vm, &self.net] {
            assert!(wire.drain().is_empty(), "something came through late");
        }
    }
}

/// The frame as it is on the wire: a tag that is to lie beside it is in it.
fn tagged(frame: &Frame) -> Vec<u8> {
    let mut bytes = frame.bytes.clone();
    if frame.tagged_beside {
        bytes.splice(12..12, [0x81, 0x00, 0x00, 0x05]);
    }
    bytes
}

/// Whether the kernel takes a tag off these bytes when they arrive.
pub fn untagged(bytes: &[u8]) -> bool {
    matches!(bytes[12..14], [0x81, 0x00] | [0x88, 0xa8]) && bytes.len() >= ETHERNET_HEADER + 4
}
