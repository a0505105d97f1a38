//! What is left to be done to a packet: finishing its checksum, cutting it into segments.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::*;

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::{Frame, Ipv6, OnWire as _, Upper, dhcpv6, extension, icmpv6, ipv4, nd, raw, tcp, udp};
use crate::world::*;

/// Where the upper header of a packet without extension headers begins.
const UPPER: usize = 14 + 40;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = only_from_vm();
    for direction in Direction::ALL {
        cases.extend(checksums(direction));
        cases.extend(segments(direction));
        cases.extend(beside_ipv6(direction));
    }
    cases
}

/// A packet of an honest pair of addresses.
fn packet(direction: Direction, upper: Upper) -> Ipv6 {
    match direction {
        FromVm => Ipv6::new(VM, STRANGER, upper),
        ToVm => Ipv6::new(STRANGER, VM, upper),
    }
}

fn case(direction: Direction, name: &str, frame: Frame, reason: ipv6_sg_common::verdict::Reason) -> Case {
    let make = if direction == FromVm { from_vm } else { to_vm };
    make(format!("offload_{}_{name}", direction.name()), S::Offloads, frame, reason)
}

fn checksums(direction: Direction) -> Vec<Case> {
    let at = |name: &str, upper: Upper, at, reason| {
        case(direction, name, packet(direction, upper).frame(direction).checksum_at(at), reason)
    };
    let data = [0; 64];
    let segment = || tcp(40_000, 443, 0x10).data(&data);
    let datagram = || udp(40_000, 443, &data);
    let behind = |upper, at| packet(direction, upper).ext(extension::destination(&[])).frame(direction).checksum_at(at);
    let whole =
        |upper, at| packet(direction, upper).ext(extension::fragment(7, 0, false)).frame(direction).checksum_at(at);
    let first =
        |upper, at| packet(direction, upper).ext(extension::fragment(7, 0, true)).frame(direction).checksum_at(at);
    vec![
        at("tcp_field", segment(), UPPER + 16, Traffic),
        at("tcp_before_field", segment(), UPPER + 15, ChecksumOffload),
        at("tcp_behind_field", segment(), UPPER + 17, ChecksumOffload),
        at("tcp_urgent", segment(), UPPER + 18, ChecksumOffload),
        at("tcp_ports", segment(), UPPER, ChecksumOffload),
        at("tcp_flags", segment(), UPPER + 12, ChecksumOffload),
        at("tcp_data", segment(), UPPER + 20, Traffic),
        at("udp_field", datagram(), UPPER + 6, Traffic),
        at("udp_field_of_tcp", datagram(), UPPER + 16, Traffic),
        at("udp_ports", datagram(), UPPER + 2, ChecksumOffload),
        at("udp_length", datagram(), UPPER + 4, ChecksumOffload),
        at("udp_type_of_a_message", datagram(), UPPER + 8, ChecksumOffload),
        at("udp_inside_a_tunnel", datagram(), UPPER + 8 + 8 + 14 + 40, Traffic),
        at("gre_field", raw(47, vec![0; 64]), UPPER + 4, Traffic),
        at("gre_inside", raw(47, vec![0; 64]), UPPER + 4 + 40 + 16, Traffic),
        at("gre_protocol", raw(47, vec![0; 64]), UPPER + 2, ChecksumOffload),
        at("sctp_field", raw(132, vec![0; 64]), UPPER + 8, Traffic),
        at("echo_field", icmpv6::echo_request(), UPPER + 2, ChecksumOffload),
        at("echo_type", icmpv6::echo_request(), UPPER, ChecksumOffload),
        at("echo_data", icmpv6::echo_request(), UPPER + 12, ChecksumOffload),
        at("destination_mac", segment(), 0, ChecksumOffload),
        at("source_mac", segment(), 10, ChecksumOffload),
        at("ether_type", segment(), 12, ChecksumOffload),
        at("next_header", segment(), 20, ChecksumOffload),
        at("source", segment(), 36, ChecksumOffload),
        at("destination", segment(), 52, ChecksumOffload),
        case(direction, "extension_header", behind(segment(), UPPER), ChecksumOffload),
        case(direction, "extension_tcp_field", behind(segment(), UPPER + 8 + 16), Traffic),
        case(direction, "extension_wrong_field", behind(segment(), UPPER + 16), ChecksumOffload),
        case(direction, "atomic_tcp_field", whole(segment(), UPPER + 8 + 16), Traffic),
        case(direction, "first_fragment_tcp_field", first(segment().data(&[0; 4]), UPPER + 8 + 16), ChecksumOffload),
        case(direction, "first_fragment_data", first(segment().data(&[0; 4]), UPPER + 8 + 20), ChecksumOffload),
    ]
}

fn segments(direction: Direction) -> Vec<Case> {
    let cut = |name: &str, upper: Upper, reason| {
        case(direction, name, packet(direction, upper).frame(direction).segmented(), reason)
    };
    let tunnel = if direction == FromVm { SegmentOffload } else { Traffic };
    let first = packet(direction, tcp(1, 2, 0x10).data(&[0; 44])).ext(extension::fragment(7, 0, true));
    vec![
        cut("tcp_segments", tcp(40_000, 443, 0x10).data(&[0; 64]), Traffic),
        cut("udp_segments", udp(40_000, 443, &[0; 64]), Traffic),
        cut("gre_segments", raw(47, vec![0; 64]), tunnel),
        cut("echo_segments", icmpv6::echo_request(), SegmentOffload),
        case(direction, "fragment_segments", first.frame(direction).segmented(), SegmentOffload),
    ]
}

fn beside_ipv6(direction: Direction) -> Vec<Case> {
    let ping = || ipv4::ping(direction).build();
    let arp = || ipv4::arp(direction).build();
    vec![
        case(direction, "ipv4_inside", ping().checksum_at(14 + 20 + 4), Ipv4),
        case(direction, "ipv4_ports", ping().checksum_at(14 + 20 + 2), Ipv4Offload),
        case(direction, "ipv4_source", ping().checksum_at(14 + 12), Ipv4Offload),
        case(direction, "ipv4_ether_type", ping().checksum_at(12), Ipv4Offload),
        case(direction, "ipv4_segments", ping().segmented(), Ipv4),
        case(direction, "arp_ether_type", arp().checksum_at(12), Ipv4Offload),
        case(direction, "arp_padding", arp().checksum_at(58), Ipv4Offload),
        case(direction, "arp_segments", arp().segmented(), Ipv4Offload),
    ]
}

/// The messages that only a VM is asked about.
fn only_from_vm() -> Vec<Case> {
    let frame = |source: Ipv6Addr, to: Ipv6Addr, upper, hops| Ipv6::new(source, to, upper).hops(hops).frame(FromVm);
    let claim = || frame(VM, ALL_NODES, nd::unsolicited_na(VM, &[nd::tlla(VM_MAC)]), 255);
    let solicit = || frame(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(dhcpv6::kind::SOLICIT), 1);
    vec![
        case(FromVm, "na_target", claim().checksum_at(UPPER + 22), ChecksumOffload),
        case(FromVm, "na_option", claim().checksum_at(UPPER + 30), ChecksumOffload),
        case(FromVm, "na_behind", claim().checksum_at(UPPER + 64), ChecksumOffload),
        case(FromVm, "na_segments", claim().segmented(), SegmentOffload),
        case(FromVm, "dhcpv6_field", solicit().checksum_at(UPPER + 6), Dhcpv6),
        case(FromVm, "dhcpv6_type", solicit().checksum_at(UPPER + 8), ChecksumOffload),
        case(FromVm, "dhcpv6_options", solicit().checksum_at(UPPER + 12), Dhcpv6),
        case(FromVm, "dhcpv6_segments", solicit().segmented(), SegmentOffload),
    ]
}
