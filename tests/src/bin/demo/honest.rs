//! What an honest guest does, by the programs and the kernel that do it.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ipv6_sg_common::abi::Direction;
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, dhcpv6};
use ipv6_sg_tests::lab::{Guest, datagrams, eventually, transfer};
use ipv6_sg_tests::world::{DHCP_AGENTS, NEIGHBOUR, ROUTER, ROUTER_LINK_LOCAL, STRANGER, VM, VM_LINK_LOCAL};

use crate::report::Report;
use crate::stage::{DELEGATED, PREFIX, Stage};

/// How long an answer takes at most before the question is asked again.
const ANSWER: Duration = Duration::from_millis(500);

/// Tries everything, and reports each.
pub fn run(stage: &Stage, report: &mut Report) {
    let (vm1, vm2) = (&stage.vm1, &stage.vm2);
    for (name, vm, address) in [("VM 1", vm1, VM), ("VM 2", vm2, NEIGHBOUR)] {
        report.honest(&format!("{name} forms the address that `ipv6-sg eui64` says"), || {
            let foretold = stage.hypervisor.ask(&format!("eui64 {PREFIX} {}", vm.mac));
            ensure!(foretold.trim() == address.to_string(), "it says {}", foretold.trim());
            eventually("SLAAC", || vm.has(address).then_some(()));
            Ok(address.to_string())
        });
    }
    report.honest("VM 1 learns its default route", || {
        eventually("a default route", || vm1.routes_by(ROUTER_LINK_LOCAL).then_some(()));
        Ok(format!("via {ROUTER_LINK_LOCAL}"))
    });
    report.honest("VM 1 pings the router's link-local address", || ping(vm1, "eth0", ROUTER_LINK_LOCAL));
    report.honest("VM 1 pings the router", || ping(vm1, "eth0", ROUTER));
    report.honest("VM 1 pings a host beyond the router", || ping(vm1, "eth0", STRANGER));
    report.honest("VM 1 pings VM 2", || ping(vm1, "eth0", NEIGHBOUR));
    report.honest("VM 1 pings from its delegated prefix", || ping(vm1, &DELEGATED.to_string(), STRANGER));
    report.honest("TCP from VM 1 to VM 2", || Ok(tcp(vm1, vm2)));
    report.honest("UDP from VM 1 to VM 2 and back", || Ok(udp(vm1, vm2, 64)));
    report.honest("UDP of 4000 bytes, in fragments, and back", || Ok(udp(vm1, vm2, 4000)));
    report.honest("UDP to a closed port is refused by an ICMPv6 error", || refused(vm1));
    report.honest("DHCPv6 Solicit leaves, the server's Advertise comes", || Ok(dhcp(stage)));
}

fn ping(vm: &Guest, from: &str, to: Ipv6Addr) -> Result<String> {
    let text = vm.netns.run(&format!("ping -6 -n -c 1 -w 3 -I {from} {to}"));
    let time = text.split("time=").nth(1).and_then(|rest| rest.split(" ms").next());
    Ok(format!("{to}, {} ms", time.context("ping says no time")?))
}

fn tcp(vm1: &Guest, vm2: &Guest) -> String {
    const BYTES: usize = 1 << 22;
    transfer(&vm2.netns, NEIGHBOUR, &vm1.netns, BYTES);
    format!("{} MiB", BYTES >> 20)
}

fn udp(vm1: &Guest, vm2: &Guest, size: usize) -> String {
    datagrams(&vm2.netns, NEIGHBOUR, &vm1.netns, 1, size);
    datagrams(&vm1.netns, VM, &vm2.netns, 1, size);
    format!("{size} bytes")
}

fn refused(vm1: &Guest) -> Result<String> {
    let socket = vm1.netns.inside(|| UdpSocket::bind((VM, 0)))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.connect((NEIGHBOUR, 9))?;
    for _ in 0..6 {
        // The error of an earlier datagram may be reported here.
        let _ = socket.send(b"anybody?");
        match socket.recv(&mut [0; 16]) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Ok("connection refused".to_owned()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => bail!("it answered {other:?}"),
        }
    }
    bail!("no answer")
}

fn dhcp(stage: &Stage) -> String {
    let solicit = Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(dhcpv6::kind::SOLICIT));
    let advertise = Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, dhcpv6::server(dhcpv6::kind::ADVERTISE));
    for (from, to, direction, packet) in [
        (&stage.vm1, &stage.router, Direction::FromVm, solicit),
        (&stage.router, &stage.vm1, Direction::ToVm, advertise),
    ] {
        let (wire, content) = (to.wire(), packet.bytes());
        from.wire().send(&packet.frame(direction));
        wire.until("the message", |frame| frame.ends_with(&content));
    }
    "both ways".to_owned()
}
