//! A VM whose owner is root and lies: nothing of it reaches the neighbour or the router, and each lie is named.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::forged::{Forged, by_the_vm};
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire as _, nd};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Netns, Process, eventually};
use ipv6_sg_tests::world::{
    ALL_NODES, NEIGHBOUR, NEIGHBOUR_MAC, ROUTER, ROUTER_LINK_LOCAL, ROUTER_MAC, VM, VM_LINK_LOCAL, VM_MAC,
};

/// A VM, its neighbour and their router, all with a kernel that speaks IPv6 and addresses set by hand.
struct Pod {
    _daemon: Process,
    vm: Guest,
    neighbour: Guest,
    router: Guest,
    hypervisor: Hypervisor,
}

impl Pod {
    fn new() -> Self {
        let hypervisor = Hypervisor::new();
        let guest = |port, mac, address: Ipv6Addr| {
            let guest = hypervisor.guest(port, mac, Ip::Kernel);
            guest.netns.sysctl("ipv6/conf/eth0/accept_dad", "0");
            guest.netns.ip(&format!("addr add {address}/64 dev eth0 nodad"));
            guest
        };
        let router = guest("up0", ROUTER_MAC, ROUTER);
        let neighbour = guest("vm2", NEIGHBOUR_MAC, NEIGHBOUR);
        // The liar's kernel keeps still: what leaves is what the test sends.
        let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        hypervisor.ports(&[&vm, &neighbour]);
        let daemon = hypervisor.daemon();
        Self { _daemon: daemon, vm, neighbour, router, hypervisor }
    }

    fn dropped(&self, reason: Reason) -> u64 {
        self.hypervisor.counters("vm1").direction(Direction::FromVm).of(reason).packets
    }
}

/// To the router itself, that the neighbour's address is here: what poisons its cache where no guard is.
fn claim() -> Frame {
    let claim = Ipv6::new(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, nd::na(NEIGHBOUR, &[nd::tlla(VM_MAC)])).hops(255);
    claim.frame(Direction::FromVm)
}

#[test]
fn lies_die_at_the_port_under_their_names() {
    let pod = Pod::new();
    let [at_neighbour, at_router] = [&pod.neighbour, &pod.router].map(Guest::wire);
    let wire = pod.vm.wire();
    let lies = by_the_vm();
    for Forged { what, reason, frames } in &lies {
        let before = pod.dropped(*reason);
        frames.iter().for_each(|frame| wire.send(frame));
        eventually(&format!("{what}, {reason}: {frames:?}"), || (pod.dropped(*reason) == before + 1).then_some(()));
    }
    // An honest word to everybody comes after all of them.
    let hello = Ipv6::new(VM, ALL_NODES, nd::unsolicited_na(VM, &[nd::tlla(VM_MAC)])).hops(255);
    let hello = hello.ethernet(Direction::FromVm).build();
    wire.send(&hello);
    for (who, wire) in [("neighbour", at_neighbour), ("router", at_router)] {
        let seen = wire.until("the honest word", |frame| frame == hello.bytes);
        for frame in &seen {
            let lied = lies.iter().find(|lie| frame.ends_with(lie.content()));
            assert!(lied.is_none(), "the {who} got {}", lied.map_or("", |lie| lie.what));
        }
    }
}

/// What the router believes of the neighbour, and the neighbour of the router, stays true under fire.
#[test]
fn a_neighbours_address_keeps_working() {
    let pod = Pod::new();
    let wire = pod.vm.wire();
    let believes = |who: &Netns, address: Ipv6Addr| who.run(&format!("ip -6 neigh show to {address} dev eth0"));
    for _ in 0..5 {
        by_the_vm().iter().flat_map(|lie| &lie.frames).for_each(|frame| wire.send(frame));
        wire.send(&claim());
        pod.router.netns.run(&format!("ping -6 -n -c 1 -W 5 {NEIGHBOUR}"));
        pod.neighbour.netns.run(&format!("ping -6 -n -c 1 -W 5 {ROUTER}"));
        let (neighbour, router) = (believes(&pod.router.netns, NEIGHBOUR), believes(&pod.neighbour.netns, ROUTER));
        assert!(neighbour.contains(&NEIGHBOUR_MAC.to_string()), "{neighbour}");
        assert!(router.contains(&ROUTER_MAC.to_string()), "{router}");
    }
    let addresses = pod.neighbour.netns.run("ip -6 -o addr show dev eth0");
    assert_eq!(addresses.matches("inet6").count(), 2, "a rogue prefix was believed: {addresses}");
    assert_eq!(pod.neighbour.netns.run("ip -6 route show default"), "", "a rogue router was believed");
}

/// The same lies do harm without the guard: else the tests above would prove nothing.
#[test]
fn without_the_guard_lies_are_believed() {
    let pod = Pod::new();
    pod.hypervisor.ask("detach --all");
    pod.hypervisor.wait_released("vm1");
    let wire = pod.vm.wire();
    pod.router.netns.run(&format!("ping -6 -n -c 1 -W 5 {NEIGHBOUR}"));
    by_the_vm().iter().flat_map(|lie| &lie.frames).for_each(|frame| wire.send(frame));
    // Asked for its address by one of the lies, the neighbour sets the router right: the last word is the liar's.
    eventually("a poisoned neighbour cache", || {
        wire.send(&claim());
        let neighbour = pod.router.netns.run(&format!("ip -6 neigh show to {NEIGHBOUR} dev eth0"));
        neighbour.contains(&VM_MAC.to_string()).then_some(())
    });
    eventually("a rogue router", || {
        let route = pod.neighbour.netns.run("ip -6 route show default");
        route.contains(&VM_LINK_LOCAL.to_string()).then_some(())
    });
}
