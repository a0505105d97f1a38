//! A hypervisor that CloudStack's agent drives: VMs behind taps that libvirt made, and somebody outside.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU16, Ordering};

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_common::verdict::{Action, Reason};

use super::{CloudAgent, Guest, Hypervisor, Ip, Nic, address, eventually};
use crate::frame::{Frame, Ipv6, Upper, tcp, udp};
use crate::world::{NEIGHBOUR_MAC, STRANGER, VM_MAC};

/// The flags of a SYN.
const SYN: u8 = 1 << 1;

/// All of them. What is declared first is dropped first.
pub struct CloudHost {
    /// The first VM, behind `vnet1`: `i-2-5-VM`.
    pub vm: Guest,
    /// Behind `up0`, which nobody guards.
    pub outside: Guest,
    /// What they all are on.
    pub hypervisor: Hypervisor,
}

impl CloudHost {
    /// With these settings; the daemon does not run yet.
    pub fn new(settings: &str) -> Self {
        let hypervisor = Hypervisor::new();
        hypervisor.cloudstack(settings);
        let outside = hypervisor.guest("up0", NEIGHBOUR_MAC, Ip::Silent);
        let vm = hypervisor.tapped("vnet1", VM_MAC, Ip::Silent);
        Self { vm, outside, hypervisor }
    }

    /// The agent.
    pub const fn agent(&self) -> CloudAgent<'_> {
        self.hypervisor.agent()
    }

    /// The first VM's NIC.
    pub fn nic(&self) -> Nic {
        Nic::new(5, &self.vm)
    }

    /// The first VM's NIC, when its VM runs and has been said to.
    pub fn started(&self) -> Nic {
        let nic = self.nic();
        self.agent().run(&nic.vm, 1, &[&nic]);
        self.agent().done(&nic.started());
        nic
    }

    /// A further VM behind a tap.
    pub fn another(&self, port: &str, last: u8) -> Guest {
        self.hypervisor.tapped(port, Mac { octets: [6, 0, 0, 0, 1, last] }, Ip::Silent)
    }

    /// What becomes of a packet that crosses the port of a guest: the reason.
    #[track_caller]
    pub fn judged(
        &self,
        guest: &Guest,
        direction: Direction,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        upper: Upper,
    ) -> Reason {
        let (from, to) = match direction {
            Direction::FromVm => (guest, &self.outside),
            Direction::ToVm => (&self.outside, guest),
        };
        let frame = Ipv6::new(source, destination, upper).ethernet(direction).from(from.mac).to(to.mac).build();
        self.judged_frame(guest, direction, &frame)
    }

    /// What becomes of a frame: the reason. The end that it is to reach sees it when it passes.
    #[track_caller]
    pub fn judged_frame(&self, guest: &Guest, direction: Direction, frame: &Frame) -> Reason {
        let (from, to) = match direction {
            Direction::FromVm => (guest, &self.outside),
            Direction::ToVm => (&self.outside, guest),
        };
        let counts = || *self.hypervisor.counters(&guest.port).direction(direction);
        let (into, before) = (to.wire(), counts());
        from.wire().send(frame);
        let reason = eventually("a verdict", || {
            let now = counts();
            Reason::ALL.into_iter().find(|reason| now.of(*reason).packets > before.of(*reason).packets)
        });
        if reason.action() == Action::Pass {
            into.until("what passed", |seen| seen == frame.bytes);
        }
        reason
    }

    /// A port that no packet of this test has come from so far: each is of a flow of its own.
    fn unused() -> u16 {
        static NEXT: AtomicU16 = AtomicU16::new(1024);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a stranger may open a connection to a port of the VM.
    #[track_caller]
    pub fn opens(&self, guest: &Guest, port: u16) -> bool {
        let syn = tcp(Self::unused(), port, SYN);
        let reason = self.judged(guest, Direction::ToVm, STRANGER, address(guest), syn);
        assert!([Reason::Allowed, Reason::IngressDenied].contains(&reason), "{reason:?}");
        reason == Reason::Allowed
    }

    /// What becomes of a datagram that a guest sends from an address.
    #[track_caller]
    pub fn sends_from(&self, guest: &Guest, source: Ipv6Addr) -> Reason {
        self.judged(guest, Direction::FromVm, source, STRANGER, udp(Self::unused(), 4000, b"from"))
    }
}
