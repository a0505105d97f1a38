//! A VM in the security group `web`, one in no group, and somebody outside: what the command line is asked about.

use ipv6_sg_common::abi::Direction;

use super::{Guest, Hypervisor, Ip, Process};
use crate::frame::{Frame, Ipv6};
use crate::world::{NEIGHBOUR_MAC, ROUTER_MAC, VM_MAC};

/// All of them, on one hypervisor. What is declared first is dropped first.
pub struct Web {
    /// Behind port `vm1`, at [`VM`](crate::world::VM): in the group.
    pub vm: Guest,
    /// Behind port `vm2`: guarded against spoofing only.
    _plain: Guest,
    /// Behind port `up0`, which nobody guards.
    pub outside: Guest,
    /// What they all are on.
    pub hypervisor: Hypervisor,
}

impl Web {
    /// With the group in the words of a state file, and more keys of its VM's port. The daemon guards both VMs.
    #[track_caller]
    pub fn new(group: &str, keys: &str) -> (Self, Process) {
        let hypervisor = Hypervisor::new();
        let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        let plain = hypervisor.guest("vm2", ROUTER_MAC, Ip::Silent);
        let outside = hypervisor.guest("up0", NEIGHBOUR_MAC, Ip::Silent);
        hypervisor.port("vm1", VM_MAC, &format!("security_groups = [\"web\"]\n{keys}"));
        hypervisor.port("vm2", ROUTER_MAC, "");
        hypervisor.groups(group);
        let daemon = hypervisor.daemon();
        (Self { vm, _plain: plain, outside, hypervisor }, daemon)
    }

    /// Sends a frame to the VM, and waits until it is there.
    #[track_caller]
    pub fn deliver(&self, frame: &Frame) {
        let into = self.vm.wire();
        self.outside.wire().send(frame);
        into.until("the frame at the VM", |seen| seen == frame.bytes);
    }

    /// Sends a frame from the VM, and waits until it is outside.
    #[track_caller]
    pub fn emit(&self, frame: &Frame) {
        let into = self.outside.wire();
        self.vm.wire().send(frame);
        into.until("the frame outside", |seen| seen == frame.bytes);
    }

    /// A packet to the VM, in a frame of whoever is outside.
    pub fn to_vm(packet: Ipv6) -> Frame {
        packet.ethernet(Direction::ToVm).from(NEIGHBOUR_MAC).to(VM_MAC).build()
    }

    /// A packet from the VM, in a frame to whoever is outside.
    pub fn from_vm(packet: Ipv6) -> Frame {
        packet.ethernet(Direction::FromVm).from(VM_MAC).to(NEIGHBOUR_MAC).build()
    }
}
