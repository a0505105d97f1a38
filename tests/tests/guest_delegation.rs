//! A real guest asks for its prefix: with a kernel of its own behind a tap, and the client that Debian's guests come with.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use ipv6_sg::kea::Kind;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::delegation::{Delegation, Distrust, Identity, SERVER, inside};
use ipv6_sg_tests::lab::kea::{Hosts, Release, Server};
use ipv6_sg_tests::lab::{Hypervisor, eventually, router};
use ipv6_sg_tests::world::{ROUTER_LINK_LOCAL, VM, VM_LINK_LOCAL, VM_MAC};

const TAP: &str = "vnet11";
/// What is sent each way.
const BYTES: usize = 1 << 20;

#[test]
fn a_guest_gets_its_prefix_and_uses_it() {
    let hypervisor = Hypervisor::new();
    let (router, _radvd) = router(&hypervisor);
    let database = Server::start(Kind::Postgres);
    let hosts = Hosts::new(&database, Release::Kea2_2);
    let delegation = Delegation::start(&router, hosts, Identity::RemoteId, Distrust::Relays);
    let pool = &delegation.pool;
    let prefix = pool.allocate("i-2-55-VM", VM_MAC, 1)[0];
    let address = inside(prefix, 1);
    pool.route(&router.netns);
    // Of the prefix the port knows from Kea's database alone.
    hypervisor.site.settings(&pool.source());
    hypervisor.port(TAP, VM_MAC, "");
    let daemon = hypervisor.daemon();
    let mut vm = hypervisor.machine(TAP, VM_MAC);
    hypervisor.wait_guarded(TAP);
    let has_prefix = || hypervisor.json("ports")[0]["sources"].to_string().contains(&prefix.to_string());
    eventually("the port's prefix", || has_prefix().then_some(()));
    // The client binds to the link-local address: not while duplicate address detection is at work.
    eventually("addresses, and a default route", || {
        let addresses = vm.orders.run("ip -6 addr show dev eth0");
        let formed = [VM, VM_LINK_LOCAL].iter().all(|address| addresses.contains(&format!("{address}/64")));
        let routes = vm.orders.run("ip -6 route");
        let routed = routes.contains(&format!("default via {ROUTER_LINK_LOCAL}"));
        (formed && !addresses.contains("tentative") && routed).then_some(())
    });

    vm.orders.run("printf '#!/bin/sh\\necho $new_ip6_prefix >> /tmp/prefixes\\n' > /tmp/script; chmod 755 /tmp/script; : > /tmp/conf");
    vm.orders.run("dhclient -6 -P -1 -v -D LL -sf /tmp/script -lf /tmp/leases -pf /tmp/pid -cf /tmp/conf eth0");
    assert_eq!(vm.orders.run("cat /tmp/prefixes").trim(), prefix.to_string());
    vm.orders.run(&format!("ip -6 addr add {address}/128 dev lo"));
    vm.orders.run(&format!("ping -6 -c 2 -I {address} {SERVER}"));
    pool.machine.run(&format!("ping -6 -n -c 2 -i 0.2 -W 10 {address}"));

    vm.orders.begin("download 7001");
    let mut stream =
        pool.machine.inside(|| eventually("the guest's socket", || TcpStream::connect((address, 7001)).ok()));
    stream.write_all(&vec![0x5a; BYTES]).expect("all of it");
    drop(stream);
    assert_eq!(vm.orders.answered(), Ok(format!("{BYTES}\n")));

    vm.orders.run(&format!("ip -6 route add {SERVER}/128 via {ROUTER_LINK_LOCAL} dev eth0 src {address}"));
    let listener = pool.machine.inside(|| TcpListener::bind((SERVER, 7000)).expect("a free port"));
    vm.orders.begin(&format!("upload [{SERVER}]:7000 {BYTES}"));
    let (mut stream, from) = listener.accept().expect("a connection");
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("all of it");
    assert_eq!((vm.orders.answered(), got.len(), from.ip()), (Ok(String::new()), BYTES, address.into()));

    let counters = hypervisor.counters(TAP);
    assert!(counters.direction(Direction::FromVm).of(Reason::Dhcpv6).packets >= 2);
    for reason in Reason::ALL.into_iter().filter(|reason| reason.action() == Action::Drop) {
        assert_eq!(counters.direction(Direction::FromVm).of(reason).packets, 0, "{reason}");
    }
    daemon.assert_never("ERROR");
}
