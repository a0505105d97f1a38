//! The fixed IPv6 header.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S};
use crate::frame::extension::hop_by_hop;
use crate::frame::{Ipv6, OnWire, icmpv6, raw, tcp, udp};
use crate::world::*;

/// A hop-by-hop option that claims a packet of 100 000 bytes (RFC 2675).
const JUMBO: [u8; 6] = [0xc2, 4, 0, 1, 0x86, 0xa0];

pub(super) fn cases() -> Vec<Case> {
    Direction::ALL.into_iter().flat_map(either_way).collect()
}

fn either_way(direction: Direction) -> Vec<Case> {
    let way = direction.name();
    let (from, to) = match direction {
        Direction::FromVm => (VM, STRANGER),
        Direction::ToVm => (STRANGER, VM),
    };
    let segment = || Ipv6::new(from, to, tcp(40000, 443, 0x18));
    let nothing = || Ipv6::new(from, to, raw(59, vec![]));
    fn of(direction: Direction, name: String, packet: impl OnWire, reason: Reason) -> Case {
        Case::new(direction, name, S::Ipv6Header, packet, reason)
    }
    let case = |name: &str, packet: Ipv6, reason| of(direction, format!("ipv6_{name}_{way}"), packet, reason);
    let padded = |packet: Ipv6, count| packet.ethernet(direction).pad(count);
    let mut cases = vec![
        case("sound", segment(), Traffic),
        case("length_exact", segment().payload_length(20), Traffic),
        case("length_one_beyond", segment().payload_length(21), Ipv6PayloadLength),
        case("length_65535", segment().payload_length(65535), Ipv6PayloadLength),
        case("length_hides_last_byte_of_tcp", segment().payload_length(19), UpperTruncated),
        case("length_one", segment().payload_length(1), UpperTruncated),
        case("length_zero_tcp", segment().payload_length(0), Ipv6Jumbogram),
        case("length_zero_hop_by_hop", segment().ext(hop_by_hop(&JUMBO)).payload_length(0), Ipv6Jumbogram),
        case("length_zero_icmpv6", Ipv6::new(from, to, icmpv6::echo_request()).payload_length(0), Ipv6Jumbogram),
        case("length_zero_nothing_behind_tcp", Ipv6::new(from, to, raw(6, vec![])), Ipv6Jumbogram),
        case("no_next_header", nothing(), Traffic),
        case("no_next_header_with_data", Ipv6::new(from, to, raw(59, vec![0; 9])), Traffic),
        // A jumbo option beside a payload length: the receiver objects, the guard sees an ordinary packet.
        case("jumbo_option_and_length", segment().ext(hop_by_hop(&JUMBO)), Traffic),
        case("hop_limit_zero", segment().hops(0), Traffic),
        case("hop_limit_255", segment().hops(255), Traffic),
        of(direction, format!("ipv6_padding_behind_{way}"), padded(segment(), 40), Traffic),
        of(direction, format!("ipv6_padding_hides_nothing_{way}"), padded(nothing(), 46), Traffic),
        of(
            direction,
            format!("ipv6_padding_is_no_udp_header_{way}"),
            padded(Ipv6::new(from, to, udp(1, 2, &[])).cut(1), 46),
            UpperTruncated,
        ),
    ];
    for version in [0, 1, 4, 5, 7, 15] {
        cases.push(case(&format!("version_{version}"), segment().version(version), Ipv6Version));
    }
    for length in [14, 15, 21, 22, 38, 53] {
        let frame = segment().ethernet(direction).cut(length);
        cases.push(of(direction, format!("ipv6_frame_of_{length}_{way}"), frame, Ipv6Truncated));
    }
    for length in [54, 55, 73] {
        let frame = segment().ethernet(direction).cut(length);
        cases.push(of(direction, format!("ipv6_frame_of_{length}_{way}"), frame, Ipv6PayloadLength));
    }
    cases
}
