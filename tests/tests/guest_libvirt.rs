//! A guest that libvirt starts: its tap is found by the name that libvirt gives it, and guarded.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, icmpv6, nd};
use ipv6_sg_tests::lab::{Hypervisor, Libvirt, eventually, router};
use ipv6_sg_tests::world::{ALL_NODES, NEIGHBOUR, VM, VM_LINK_LOCAL, VM_MAC};

#[test]
fn a_domain_with_a_bridge_interface() {
    let hypervisor = Hypervisor::new();
    let (router, _radvd) = router(&hypervisor);
    hypervisor.site.settings("quarantine = [\"vnet*\"]");
    let _daemon = hypervisor.daemon();

    let mut libvirt = Libvirt::start(&hypervisor);
    let mut domain = libvirt.domain("i-2-55-VM", VM_MAC);
    // Nobody has told the daemon of it yet.
    hypervisor.wait_guarded(&domain.tap);
    let counted = |reason| hypervisor.counters(&domain.tap).direction(Direction::FromVm).of(reason).packets;
    eventually("a tap in quarantine", || (counted(Reason::Quarantined) > 0).then_some(()));
    hypervisor.port(&domain.tap, VM_MAC, "");

    // The guest has given up asking for a router by now; radvd speaks again within seconds.
    eventually("an address by SLAAC", || {
        domain.orders.run("ip -6 addr show dev eth0").contains(&format!("{VM}/64")).then_some(())
    });
    router.netns.run(&format!("ping -6 -n -c 2 -i 0.2 -W 10 {VM}"));
    let wire = router.wire();
    let claim = |target: Ipv6Addr| Ipv6::new(VM, ALL_NODES, nd::unsolicited_na(target, &[nd::tlla(VM_MAC)])).hops(255);
    let lies = [
        (Ipv6::new(NEIGHBOUR, ALL_NODES, icmpv6::echo_request()), Reason::SourcePrivacy),
        (claim(NEIGHBOUR), Reason::NaForeign),
        (Ipv6::new(VM_LINK_LOCAL, ALL_NODES, nd::ra(&[nd::slla(VM_MAC)])).hops(255), Reason::RaFromVm),
    ];
    let lies = lies.map(|(packet, reason)| (packet.frame(Direction::FromVm), reason));
    for (lie, reason) in &lies {
        domain.orders.send(lie);
        eventually(reason.name(), || (counted(*reason) > 0).then_some(()));
    }
    let truth = claim(VM).frame(Direction::FromVm);
    domain.orders.send(&truth);
    for frame in wire.until("the truth", |frame| frame == truth.bytes) {
        assert!(lies.iter().all(|(lie, _)| lie.bytes != frame), "{frame:02x?}");
    }

    libvirt.destroy("i-2-55-VM");
    eventually("nothing guarded", || {
        let missing = hypervisor.json("status")["daemon"]["missing"].to_string();
        missing.contains(&domain.tap).then_some(())
    });
}
