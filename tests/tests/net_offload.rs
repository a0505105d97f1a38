//! What a guest leaves to its host to finish: honest requests are met behind the guard, and those that would make something
//! else of a packet than was judged die with it.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{
    Ethernet, Ipv6, OnWire as _, Upper, checksum_holds, dhcpv6, extension, icmpv6, nd, raw, tcp, udp,
};
use ipv6_sg_tests::lab::tap::{GSO_NONE, GSO_TCPV6, GSO_UDP, NEEDS_CSUM, VNET_HDR, VnetHdr};
use ipv6_sg_tests::lab::{Hypervisor, Process, Tap, eventually};
use ipv6_sg_tests::world::{ALL_NODES, DHCP_AGENTS, NEIGHBOUR, NEIGHBOUR_MAC, STRANGER, VM, VM_LINK_LOCAL, VM_MAC};

/// Where the packet begins, and the upper header of one without extension headers.
const PACKET: usize = 14;
const UPPER: usize = PACKET + 40;

/// A guarded VM and an onlooker, whom the bridge shows whatever goes to unknown MACs and groups.
struct Pod {
    vm: Tap,
    onlooker: Tap,
    hypervisor: Hypervisor,
}

impl Pod {
    fn new() -> Self {
        let hypervisor = Hypervisor::new();
        let vm = hypervisor.tap("vm1", VNET_HDR, 0);
        // Takes nothing unfinished: the host has to finish it.
        let onlooker = hypervisor.tap("vm2", VNET_HDR, 0);
        Self { vm, onlooker, hypervisor }
    }

    fn guard(&self, interface: &str) -> Process {
        let mac = if interface == "vm1" { VM_MAC } else { NEIGHBOUR_MAC };
        self.hypervisor.port(interface, mac, "");
        self.hypervisor.daemon()
    }

    fn count(&self, interface: &str, direction: Direction, reason: Reason) -> u64 {
        self.hypervisor.counters(interface).direction(direction).of(reason).packets
    }

    /// Sends a frame, and waits until the guard has counted it.
    #[track_caller]
    fn send(&self, header: &VnetHdr, frame: &[u8], counted: (&str, Direction, Reason)) {
        let (interface, direction, reason) = counted;
        let before = self.count(interface, direction, reason);
        if !taken(&self.vm, header, frame) {
            return;
        }
        eventually(&format!("{reason}: {header:?} {frame:02x?}"), || {
            (self.count(interface, direction, reason) == before + 1).then_some(())
        });
    }
}

/// Sends a frame; newer kernels refuse a checksum of what precedes the network header by themselves.
#[track_caller]
fn taken(vm: &Tap, header: &VnetHdr, frame: &[u8]) -> bool {
    let Err(error) = vm.try_send(header, frame) else { return true };
    assert!(error.raw_os_error() == Some(libc::EINVAL) && header.csum_start < 20, "{error}: {header:?}");
    false
}

/// A checksum from `start` on, written at `start` + `offset`.
fn checksum(start: usize, offset: usize) -> VnetHdr {
    let short = |number| u16::try_from(number).expect("a small number");
    VnetHdr {
        flags: NEEDS_CSUM,
        gso_type: GSO_NONE,
        csum_start: short(start),
        csum_offset: short(offset),
        ..VnetHdr::default()
    }
}

fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}

/// A frame of which two bytes at `at` become `wanted` when the host writes the checksum that is asked for.
struct Trick {
    what: &'static str,
    frame: Vec<u8>,
    at: usize,
    wanted: [u8; 2],
    reason: Reason,
}

impl Trick {
    /// `frame` is judged honest; its last two bytes are nobody's business.
    fn new(what: &'static str, mut frame: Vec<u8>, at: usize, wanted: [u8; 2], reason: Reason) -> Self {
        let last = frame.len() - 2;
        frame[last..].fill(0);
        // The last two bytes bring the sum from `at` on to where its complement is what is wanted.
        let missing = u32::from(!u16::from_be_bytes(wanted)) + u32::from(!sum(&frame[at..]));
        let missing = u16::try_from((missing & 0xffff) + (missing >> 16)).expect("folded");
        frame[last..].copy_from_slice(&missing.to_be_bytes());
        Self { what, frame, at, wanted, reason }
    }

    fn header(&self) -> VnetHdr {
        checksum(self.at, 0)
    }

    /// What it becomes.
    fn done(&self) -> Vec<u8> {
        let mut frame = self.frame.clone();
        frame[self.at..self.at + 2].copy_from_slice(&self.wanted);
        frame
    }
}

fn tricks() -> Vec<Trick> {
    use Reason::{ChecksumOffload, Ipv4Offload};
    let frame = |packet: Ipv6| packet.frame(Direction::FromVm).bytes;
    let advertisement = nd::ra(&[nd::slla(VM_MAC), nd::nonce()]).bytes(VM_LINK_LOCAL, ALL_NODES);
    let echo = || icmpv6::message(128, 0, &advertisement[4..]);
    let claim = || nd::unsolicited_na(VM, &[nd::tlla(VM_MAC), nd::nonce()]);
    let [.., a, b] = NEIGHBOUR.octets();
    let [.., c, d] = NEIGHBOUR_MAC.octets;
    let even = || udp(40_000, 53, &[0; 16]);
    let arp = Ethernet::new(Direction::FromVm, 0x0806, vec![0; 46]).build().bytes;
    let ipv4 = [&[0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0][..], &[192, 0, 2, 1, 192, 0, 2, 2], &[0; 26]].concat();
    let ipv4 = Ethernet::new(Direction::FromVm, 0x0800, ipv4).build().bytes;
    vec![
        Trick::new(
            "an echo becomes a router advertisement",
            frame(Ipv6::new(VM_LINK_LOCAL, ALL_NODES, echo()).hops(255)),
            UPPER,
            [134, 0],
            ChecksumOffload,
        ),
        Trick::new(
            "the same behind a header of options",
            frame(Ipv6::new(VM_LINK_LOCAL, ALL_NODES, echo()).hops(255).ext(extension::destination(&[]))),
            UPPER + 8,
            [134, 0],
            ChecksumOffload,
        ),
        Trick::new(
            "a claim on an address of one's own becomes one on the neighbour's",
            frame(Ipv6::new(VM, ALL_NODES, claim()).hops(255)),
            UPPER + 8 + 14,
            [a, b],
            ChecksumOffload,
        ),
        Trick::new("another source", frame(Ipv6::new(VM, NEIGHBOUR, even())), PACKET + 8 + 14, [a, b], ChecksumOffload),
        Trick::new(
            "another next header and hop limit",
            frame(Ipv6::new(VM, NEIGHBOUR, tcp(34_304, 0, 2).data(&[0; 8]))),
            PACKET + 6,
            [58, 255],
            ChecksumOffload,
        ),
        Trick::new("another source MAC", frame(Ipv6::new(VM, NEIGHBOUR, even())), 10, [c, d], ChecksumOffload),
        Trick::new("another port", frame(Ipv6::new(VM, NEIGHBOUR, even())), UPPER, [2, 35], ChecksumOffload),
        Trick::new("another IPv4 source", ipv4.clone(), PACKET + 12, [10, 0], Ipv4Offload),
        Trick::new("another sender in ARP", arp.clone(), PACKET + 14, [10, 0], Ipv4Offload),
        Trick::new("IPv4 becomes IPv6", ipv4, 12, [0x86, 0xdd], Ipv4Offload),
        Trick::new("ARP becomes IPv6", arp, 12, [0x86, 0xdd], Ipv4Offload),
    ]
}

#[test]
fn a_checksum_changes_nothing_that_was_judged() {
    let pod = Pod::new();
    let _daemon = pod.guard("vm1");
    for trick in tricks() {
        pod.send(&trick.header(), &trick.frame, ("vm1", Direction::FromVm, trick.reason));
    }
    // An honest word comes after all of them, and first.
    let hello = Ipv6::new(VM, ALL_NODES, icmpv6::echo_request()).frame(Direction::FromVm);
    pod.send(&VnetHdr::default(), &hello.bytes, ("vm1", Direction::FromVm, Reason::Echo));
    let seen = pod.onlooker.until("the honest word", |got| got.bytes == hello.bytes);
    assert_eq!(seen.len(), 1, "{seen:02x?}");
}

/// A guest that nobody guards cannot do it to one that is guarded either.
#[test]
fn nor_does_one_on_its_way_to_a_guarded_vm() {
    let pod = Pod::new();
    let _daemon = pod.guard("vm2");
    let data = Ipv6::new(STRANGER, NEIGHBOUR, udp(40_000, 53, &[0; 16])).ethernet(Direction::FromVm);
    let trick = Trick::new(
        "another source",
        data.to(NEIGHBOUR_MAC).build().bytes,
        PACKET + 8,
        [0x20, 0x01],
        Reason::ChecksumOffload,
    );
    pod.send(&trick.header(), &trick.frame, ("vm2", Direction::ToVm, trick.reason));
    assert_eq!(pod.onlooker.drain(), []);
}

/// The same tricks work where no guard is: else the tests above would prove nothing.
#[test]
fn without_the_guard_tricks_work() {
    let pod = Pod::new();
    for trick in tricks() {
        if taken(&pod.vm, &trick.header(), &trick.frame) {
            let done = trick.done();
            pod.onlooker.until(trick.what, |got| got.bytes == done);
        }
    }
}

#[test]
fn honest_requests_are_met() {
    let pod = Pod::new();
    let _daemon = pod.guard("vm1");
    let to_router = |upper: Upper| Ipv6::new(VM, STRANGER, upper).frame(Direction::FromVm).bytes;
    let passes = ("vm1", Direction::FromVm, Reason::Traffic);
    // TCP and UDP of the guest's own, also behind an extension header.
    for (upper, field) in [(tcp(40_000, 443, 0x10).data(b"some data"), 16), (udp(40_000, 443, b"some data"), 6)] {
        for (extensions, start) in [(vec![], UPPER), (vec![extension::destination(&[])], UPPER + 8)] {
            let packet = |upper| extensions.iter().cloned().fold(Ipv6::new(VM, STRANGER, upper), Ipv6::ext);
            let [left, finished] =
                [upper.clone().partial_checksum(), upper.clone()].map(|upper| packet(upper).frame(Direction::FromVm));
            pod.send(&checksum(start, field), &left.bytes, passes);
            let got = pod.onlooker.until("the packet", |_| true).remove(0);
            assert_eq!((got.header, got.bytes), (VnetHdr::default(), finished.bytes));
        }
    }
    // TCP inside a tunnel of the guest's own: VXLAN over UDP, and plain IPv6 in IPv6.
    let inner = Ipv6::new(NEIGHBOUR, STRANGER, tcp(40_000, 443, 0x10).data(b"inside").partial_checksum());
    let ethernet = inner.clone().frame(Direction::FromVm).bytes;
    let vxlan = [&[8, 0, 0, 0, 0, 0, 42, 0][..], &ethernet].concat();
    for (frame, packet) in
        [(to_router(udp(40_000, 4789, &vxlan)), UPPER + 8 + 8 + PACKET), (to_router(raw(41, inner.bytes())), UPPER)]
    {
        pod.send(&checksum(packet + 40, 16), &frame, passes);
        let got = pod.onlooker.until("the tunnelled packet", |_| true).remove(0);
        assert_eq!(got.header, VnetHdr::default());
        assert_eq!(got.bytes[..packet + 40], frame[..packet + 40]);
        assert!(checksum_holds(&got.bytes[packet..]), "{:02x?}", got.bytes);
    }
    assert_eq!(pod.onlooker.drain(), []);
}

#[test]
fn a_super_frame_is_judged_once() {
    let pod = Pod::new();
    let _daemon = pod.guard("vm1");
    let data: Vec<u8> = (0..9000_u32).map(|at| at.to_le_bytes()[0]).collect();
    let packet = Ipv6::new(VM, STRANGER, tcp(40_000, 443, 0x10).data(&data).partial_checksum());
    let header = VnetHdr { gso_type: GSO_TCPV6, hdr_len: 74, gso_size: 1400, ..checksum(UPPER, 16) };
    let frame = packet.frame(Direction::FromVm).bytes;
    pod.send(&header, &frame, ("vm1", Direction::FromVm, Reason::Traffic));
    let segments = pod.onlooker.until("the last segment", |got| got.bytes.ends_with(&data[8400..]));
    assert!(segments.iter().all(|got| checksum_holds(&got.bytes[PACKET..])));
    let arrived: Vec<u8> = segments.iter().flat_map(|got| got.bytes[UPPER + 20..].to_vec()).collect();
    assert_eq!((segments.len(), arrived), (7, data));
    assert_eq!(pod.count("vm1", Direction::FromVm, Reason::Traffic), 1);
}

#[test]
fn segments_bring_forth_nothing_new() {
    let pod = Pod::new();
    let _daemon = pod.guard("vm1");
    // The second datagram would begin with the second message.
    let one = dhcpv6::body(dhcpv6::kind::SOLICIT);
    let two = [&one[..], &dhcpv6::body(dhcpv6::kind::RELAY_FORWARD)].concat();
    let solicit = Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 547, &two).partial_checksum());
    let gso_size = u16::try_from(one.len()).expect("short");
    let header = VnetHdr { gso_type: GSO_UDP, hdr_len: 62, gso_size, ..checksum(UPPER, 6) };
    let frame = solicit.frame(Direction::FromVm).bytes;
    pod.send(&header, &frame, ("vm1", Direction::FromVm, Reason::SegmentOffload));
    let gre = Ipv6::new(VM, STRANGER, raw(47, vec![0; 64])).frame(Direction::FromVm).bytes;
    let header = VnetHdr { gso_type: GSO_TCPV6, hdr_len: 74, gso_size: 20, ..checksum(UPPER + 16, 16) };
    pod.send(&header, &gre, ("vm1", Direction::FromVm, Reason::SegmentOffload));
    assert_eq!(pod.onlooker.drain(), []);
}
