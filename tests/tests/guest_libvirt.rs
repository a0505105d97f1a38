//! A guest that libvirt starts: its tap is found by the name that libvirt gives it, and guarded.

use std::net::Ipv6Addr;
use std::process::Command;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, icmpv6, nd};
use ipv6_sg_tests::lab::{Hypervisor, Libvirt, eventually, outcome, router};
use ipv6_sg_tests::world::{ALL_NODES, NEIGHBOUR, VM, VM_LINK_LOCAL, VM_MAC};
use nix::sys::signal::Signal;
use serde_json::json;

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

/// With the hook, QEMU does not run before the tap is closed; and where nobody closes it, never.
#[test]
fn a_domain_does_not_run_before_its_tap_is_guarded() {
    let hypervisor = Hypervisor::new();
    hypervisor.site.settings("quarantine = [\"vnet*\"]");
    let mut daemon = hypervisor.daemon();
    let mut libvirt = Libvirt::hooked(&hypervisor);
    // It is as if it took long.
    daemon.signal(Signal::SIGSTOP);
    let mut creating = libvirt.create("i-2-56-VM", VM_MAC).spawn().expect("virsh");
    let runs = |line: &str| outcome(Command::new("pgrep").args(["--full", line])).code == Some(0);
    eventually("the hook", || runs("libvirt-hook i-2-56-VM start begin").then_some(()));
    let links = hypervisor.netns.run("ip -br link");
    assert!(links.contains("vnet") && !runs("guest=i-2-56-VM"), "{links}");
    daemon.signal(Signal::SIGCONT);
    assert!(creating.wait().expect("its end").success());
    let tap = links.split_whitespace().find(|word| word.starts_with("vnet")).expect("a tap");
    assert_eq!(hypervisor.json("status")["daemon"]["quarantined"], json!([tap]));
    let domain = libvirt.running("i-2-56-VM");
    assert_eq!(domain.tap, tap);
    libvirt.destroy("i-2-56-VM");

    daemon.signal(Signal::SIGTERM);
    daemon.wait();
    let refused = outcome(&mut libvirt.create("i-2-56-VM", VM_MAC));
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("no daemon answers on"), "{refused:?}");
    assert!(!runs("guest=i-2-56-VM"));
}
