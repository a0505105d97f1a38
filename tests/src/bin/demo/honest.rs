//! What an honest guest does, by the programs and the kernel that do it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ipv6_sg_common::abi::Direction;
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, dhcpv6};
use ipv6_sg_tests::world::{DHCP_AGENTS, NEIGHBOUR, ROUTER, ROUTER_LINK_LOCAL, STRANGER, VM, VM_LINK_LOCAL};

use crate::lab::wire::{Observer, Wire};
use crate::lab::{Namespace, wait_for};
use crate::operator::Operator;
use crate::report::Report;
use crate::stage::{self, DELEGATED, MACS, PREFIX, SLAAC, Stage};

const PATIENCE: Duration = Duration::from_secs(10);

/// How long an answer takes at most before the question is asked again.
const ANSWER: Duration = Duration::from_millis(500);

/// Tries everything, and reports each.
pub fn run(stage: &Stage, operator: &Operator, report: &mut Report) {
    let (vm1, vm2) = (&stage.vm1, &stage.vm2);
    for (name, vm, address, mac) in [("VM 1", vm1, SLAAC[0], MACS[0]), ("VM 2", vm2, SLAAC[1], MACS[1])] {
        report.honest(&format!("{name} forms the address that `ipv6-sg eui64` says"), || {
            let foretold = operator.run(&["eui64", PREFIX, &mac.to_string()])?;
            ensure!(foretold.trim() == address.to_string(), "it says {}", foretold.trim());
            let formed = || Ok(stage::addresses(vm)?.contains(&address).then_some(()));
            wait_for("SLAAC", PATIENCE, formed)?;
            Ok(address.to_string())
        });
    }
    report.honest("VM 1 learns its default route", || {
        let learnt = || {
            let routes = vm1.run("ip -6 route show default")?;
            Ok(routes.contains(&format!("via {ROUTER_LINK_LOCAL} ")).then_some(()))
        };
        wait_for("a default route", PATIENCE, learnt)?;
        Ok(format!("via {ROUTER_LINK_LOCAL}"))
    });
    report.honest("VM 1 pings the router's link-local address", || ping(vm1, "eth0", ROUTER_LINK_LOCAL));
    report.honest("VM 1 pings the router", || ping(vm1, "eth0", ROUTER));
    report.honest("VM 1 pings a host beyond the router", || ping(vm1, "eth0", STRANGER));
    report.honest("VM 1 pings VM 2", || ping(vm1, "eth0", NEIGHBOUR));
    report.honest("VM 1 pings from its delegated prefix", || ping(vm1, &DELEGATED.to_string(), STRANGER));
    report.honest("TCP from VM 1 to VM 2", || tcp(vm1, vm2));
    report.honest("UDP from VM 1 to VM 2 and back", || udp(vm1, vm2, 64));
    report.honest("UDP of 4000 bytes, in fragments, and back", || udp(vm1, vm2, 4000));
    report.honest("UDP to a closed port is refused by an ICMPv6 error", || refused(vm1));
    report.honest("DHCPv6 Solicit leaves, the server's Advertise comes", || dhcp(stage));
}

fn ping(vm: &Namespace, from: &str, to: Ipv6Addr) -> Result<String> {
    let text = vm.run(&format!("ping -6 -n -c 1 -w 3 -I {from} {to}"))?;
    let time = text.split("time=").nth(1).and_then(|rest| rest.split(" ms").next());
    Ok(format!("{to}, {} ms", time.context("ping says no time")?))
}

fn tcp(vm1: &Namespace, vm2: &Namespace) -> Result<String> {
    const BYTES: usize = 1 << 22;
    let listener = vm2.enter(|| Ok(TcpListener::bind((NEIGHBOUR, 0))?))?;
    let to = listener.local_addr()?;
    let reader = thread::spawn(move || -> Result<usize> {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut received = Vec::new();
        Ok(stream.read_to_end(&mut received)?)
    });
    // Before the other side is waited for: without a connection it would wait for ever.
    let mut stream = vm1.enter(|| Ok(TcpStream::connect_timeout(&to, PATIENCE)?))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&vec![0x5a; BYTES])?;
    stream.shutdown(Shutdown::Write)?;
    let received = reader.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    ensure!(received == BYTES, "{received} of {BYTES} bytes arrived");
    Ok(format!("{} MiB", BYTES >> 20))
}

fn udp(vm1: &Namespace, vm2: &Namespace, size: usize) -> Result<String> {
    let [here, there] = [(vm1, VM), (vm2, NEIGHBOUR)].map(|(vm, address)| -> Result<UdpSocket> {
        let socket = vm.enter(|| Ok(UdpSocket::bind((address, 0))?))?;
        socket.set_read_timeout(Some(ANSWER))?;
        Ok(socket)
    });
    let (here, there) = (here?, there?);
    let datagram = vec![0xa5; size];
    exchange(&here, &there, &datagram)?;
    exchange(&there, &here, &datagram)?;
    Ok(format!("{size} bytes"))
}

/// Sends until it arrives: a tap learns to remember fragments a moment after it is guarded.
fn exchange(from: &UdpSocket, to: &UdpSocket, datagram: &[u8]) -> Result<()> {
    let address: SocketAddr = to.local_addr()?;
    let mut buffer = vec![0; datagram.len() + 1];
    for _ in 0..6 {
        from.send_to(datagram, address)?;
        match to.recv(&mut buffer) {
            Ok(length) => {
                ensure!(buffer.get(..length) == Some(datagram), "another datagram arrived");
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("it did not arrive")
}

fn refused(vm1: &Namespace) -> Result<String> {
    let socket = vm1.enter(|| Ok(UdpSocket::bind((VM, 0))?))?;
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

fn dhcp(stage: &Stage) -> Result<String> {
    let (link, vm) = (Observer::new(&stage.router, "eth0")?, Observer::new(&stage.vm1, "eth0")?);
    let solicit = Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(dhcpv6::kind::SOLICIT));
    let advertise = Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, dhcpv6::server(dhcpv6::kind::ADVERTISE));
    for (from, to, direction, packet) in
        [(&stage.vm1, &link, Direction::FromVm, solicit), (&stage.router, &vm, Direction::ToVm, advertise)]
    {
        let content = packet.bytes();
        Wire::open(from, "eth0", false)?.send(&packet.frame(direction).bytes)?;
        wait_for("the message", PATIENCE, || Ok(to.saw(&content).then_some(())))?;
    }
    Ok("both ways".to_owned())
}
