//! A real guest behind a real tap: a kernel of its own in qemu, with virtio-net and its offloads, guarded from the first packet.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;

use ipv6_sg_common::abi::{Count, Direction};
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::forged;
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, icmpv6, udp};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Machine, Process, eventually, router};
use ipv6_sg_tests::world::{ALL_NODES, NEIGHBOUR, NEIGHBOUR_MAC, ROUTER, ROUTER_LINK_LOCAL, VM, VM_LINK_LOCAL, VM_MAC};

const TAP: &str = "vnet11";

/// A guest, its daemon, and its router. What is declared first is dropped first.
struct Pod {
    vm: Machine,
    daemon: Process,
    _radvd: Process,
    router: Guest,
    hypervisor: Hypervisor,
}

impl Pod {
    /// With these further settings. The guest has found its address and its router.
    fn new(settings: &str) -> Self {
        let hypervisor = Hypervisor::new();
        hypervisor.site.settings(settings);
        let (router, radvd) = router(&hypervisor);
        hypervisor.port(TAP, VM_MAC, "");
        let daemon = hypervisor.daemon();
        let vm = hypervisor.machine(TAP, VM_MAC);
        hypervisor.wait_guarded(TAP);
        let mut pod = Self { vm, daemon, _radvd: radvd, router, hypervisor };
        eventually("an address by SLAAC, and a default route", || {
            let addresses = pod.vm.orders.run("ip -6 addr show dev eth0");
            let routes = pod.vm.orders.run("ip -6 route");
            let formed =
                addresses.lines().any(|line| line.contains(&format!("{VM}/64")) && !line.contains("tentative"));
            (formed && routes.contains(&format!("default via {ROUTER_LINK_LOCAL}"))).then_some(())
        });
        pod
    }

    fn count(&self, direction: Direction, reason: Reason) -> Count {
        *self.hypervisor.counters(TAP).direction(direction).of(reason)
    }

    /// Panics if anything that the guest sent was dropped.
    #[track_caller]
    fn assert_nothing_dropped(&self) {
        let counters = self.hypervisor.counters(TAP);
        for reason in Reason::ALL.into_iter().filter(|reason| reason.action() == Action::Drop) {
            assert_eq!(counters.direction(Direction::FromVm).of(reason).packets, 0, "{reason}");
        }
        self.daemon.assert_never("ERROR");
    }

    /// Sends bytes over TCP to the router, and as many back.
    #[track_caller]
    fn transfer(&mut self, bytes: usize) {
        let listener = self.router.netns.inside(|| TcpListener::bind((ROUTER, 7000)).expect("a free port"));
        self.vm.orders.begin(&format!("upload [{ROUTER}]:7000 {bytes}"));
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut got = Vec::new();
        stream.read_to_end(&mut got).expect("all of it");
        assert_eq!(self.vm.orders.answered(), Ok(String::new()));
        assert!(got.len() == bytes && got.iter().all(|byte| *byte == 0x5a));

        self.vm.orders.begin("download 7001");
        let mut stream =
            self.router.netns.inside(|| eventually("the guest's socket", || TcpStream::connect((VM, 7001)).ok()));
        stream.write_all(&got).expect("all of it");
        drop(stream);
        assert_eq!(self.vm.orders.answered(), Ok(format!("{bytes}\n")));
    }

    /// Has datagrams of this size come and go.
    #[track_caller]
    fn datagrams(&mut self, count: usize, size: usize) {
        let socket = self.router.netns.inside(|| UdpSocket::bind((ROUTER, 7002)).expect("a free port"));
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut data = vec![0; 65_536];
                for _ in 0..count {
                    let (length, from) = socket.recv_from(&mut data).expect("a datagram");
                    socket.send_to(&data[..length], from).expect("sent back");
                }
            });
            self.vm.orders.order(&format!("datagrams [{ROUTER}]:7002 {count} {size}"));
        });
    }
}

/// The guest is reached, and what it leaves to its host arrives finished: TCP in super-frames, UDP, fragments.
#[track_caller]
fn honest(pod: &mut Pod) {
    pod.router.netns.run(&format!("ping -6 -n -c 2 -i 0.2 -W 10 {VM}"));
    pod.vm.orders.run(&format!("ping -6 -c 2 {ROUTER}"));
    pod.transfer(4 << 20);
    pod.datagrams(20, 1000);
    pod.datagrams(5, 9000);
    for direction in Direction::ALL {
        let Count { packets, bytes } = pod.count(direction, Reason::Traffic);
        println!("{}: {packets} packets, {bytes} bytes", direction.name());
        assert!(pod.count(direction, Reason::Fragment).packets > 0);
    }
    // Larger than any frame of the wire: nobody cut them before they were judged.
    let Count { packets, bytes } = pod.count(Direction::FromVm, Reason::Traffic);
    assert!(bytes > packets * 1514, "{packets} packets, {bytes} bytes: no super-frames");
    pod.assert_nothing_dropped();
}

#[test]
fn a_guest_lives_and_its_offloads_work() {
    let mut pod = Pod::new("");
    let addresses = pod.vm.orders.run("ip -6 addr show dev eth0");
    assert_eq!(addresses.matches("inet6").count(), 2, "{addresses}");
    assert!(addresses.contains(&format!("{VM}/64")) && addresses.contains(&format!("{VM_LINK_LOCAL}/64")));
    honest(&mut pod);
}

#[test]
fn behind_the_generic_shield_too() {
    honest(&mut Pod::new("xdp = \"generic\""));
}

#[test]
fn behind_the_native_shield_too() {
    honest(&mut Pod::new("xdp = \"native\""));
}

/// Everything that a hostile root can send: nothing of it gets past the tap.
#[track_caller]
fn hostile(settings: &str) {
    let mut pod = Pod::new(settings);
    let neighbour = pod.hypervisor.guest("vnet12", NEIGHBOUR_MAC, Ip::Silent);
    let seen = [neighbour.wire(), pod.router.wire()];
    let all = forged::by_the_vm();
    for forged in &all {
        let before = pod.count(Direction::FromVm, forged.reason).packets;
        for frame in &forged.frames {
            pod.vm.orders.send(frame);
        }
        eventually(forged.what, || (pod.count(Direction::FromVm, forged.reason).packets > before).then_some(()));
    }
    // An honest word to everybody comes after all of them.
    let hello = Ipv6::new(VM, ALL_NODES, icmpv6::echo_request()).frame(Direction::FromVm);
    pod.vm.orders.send(&hello);
    for wire in &seen {
        for frame in wire.until("the honest word", |frame| frame == hello.bytes) {
            let lied = all.iter().find(|forged| frame.ends_with(forged.content()));
            assert!(lied.is_none(), "{} got through: {frame:02x?}", lied.map_or("", |forged| forged.what));
        }
    }
}

#[test]
fn a_hostile_root_gets_nothing_past_the_tap() {
    hostile("");
}

#[test]
fn nor_past_the_generic_shield() {
    hostile("xdp = \"generic\"");
}

#[test]
fn nor_past_the_native_shield() {
    hostile("xdp = \"native\"");
}

/// What the guest's own virtio-net driver is told to leave to the host.
#[test]
fn a_checksum_left_to_the_host_changes_nothing() {
    let mut pod = Pod::new("");
    let wire = pod.router.wire();
    let frame = Ipv6::new(VM, NEIGHBOUR, udp(40_000, 9, &[0; 16])).frame(Direction::FromVm);
    let before = pod.count(Direction::FromVm, Reason::ChecksumOffload).packets;
    // The source's last bytes.
    pod.vm.orders.order(&format!("unfinished eth0 22 14 {frame:?}"));
    eventually("a refusal", || (pod.count(Direction::FromVm, Reason::ChecksumOffload).packets > before).then_some(()));
    pod.vm.orders.order(&format!("unfinished eth0 54 6 {frame:?}"));
    wire.until("an honest datagram", |seen| seen.ends_with(&[0; 16]));
}

/// A tap of the same name is another port: the second guest has none of the first one's rights.
#[test]
fn a_second_guest_inherits_nothing() {
    let Pod { vm, daemon: _daemon, router, hypervisor, _radvd } = Pod::new("");
    let first = hypervisor.netns.ifindex(TAP);
    vm.off();
    eventually("the tap's end", || hypervisor.netns.ifindex(TAP).is_none().then_some(()));
    let wire = router.wire();

    hypervisor.port(TAP, NEIGHBOUR_MAC, "");
    let mut second = hypervisor.machine(TAP, NEIGHBOUR_MAC);
    hypervisor.wait_guarded(TAP);
    assert_ne!(hypervisor.netns.ifindex(TAP), first);
    let counted = |reason| hypervisor.counters(TAP).direction(Direction::FromVm).of(reason).packets;
    assert_eq!((counted(Reason::MacSpoofed), counted(Reason::SourcePrivacy)), (0, 0));

    let of_the_first = Ipv6::new(VM, ALL_NODES, icmpv6::echo_request()).ethernet(Direction::FromVm);
    for (frame, reason) in
        [(of_the_first.clone(), Reason::MacSpoofed), (of_the_first.from(NEIGHBOUR_MAC), Reason::SourcePrivacy)]
    {
        second.orders.send(&frame.build());
        eventually(reason.name(), || (counted(reason) == 1).then_some(()));
    }
    // From its first word on, it is its own address that it speaks from.
    let own = Ipv6::new(NEIGHBOUR, ALL_NODES, icmpv6::echo_request()).ethernet(Direction::FromVm);
    let own = own.from(NEIGHBOUR_MAC).build();
    second.orders.send(&own);
    for frame in wire.until("an honest word", |frame| frame == own.bytes) {
        for of_the_first in [VM, VM_LINK_LOCAL] {
            assert_ne!(frame.get(22..38), Some(&of_the_first.octets()[..]), "{frame:02x?}");
        }
    }
}
