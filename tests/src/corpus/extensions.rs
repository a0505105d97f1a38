//! Extension headers and routing headers.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S};
use crate::frame::extension::{
    atomic, authentication, destination, fragment, hop_by_hop, mobility, router_alert, routing, shim6,
};
use crate::frame::{Extension, Ipv6, raw, tcp, udp};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    Direction::ALL
        .into_iter()
        .flat_map(|direction| [chains(direction), ends(direction), routes(direction)])
        .flatten()
        .collect()
}

/// A TCP segment behind these headers.
fn behind(direction: Direction, extensions: Vec<Extension>) -> Ipv6 {
    let (from, to) = match direction {
        Direction::FromVm => (VM, STRANGER),
        Direction::ToVm => (STRANGER, VM),
    };
    extensions.into_iter().fold(Ipv6::new(from, to, tcp(40000, 443, 2)), Ipv6::ext)
}

fn case(direction: Direction, section: S, name: &str, packet: Ipv6, reason: Reason) -> Case {
    Case::new(direction, format!("{name}_{}", direction.name()), section, packet, reason)
}

fn chains(direction: Direction) -> Vec<Case> {
    let of = |name: &str, extensions, reason| {
        case(direction, S::ExtensionHeaders, name, behind(direction, extensions), reason)
    };
    let cut = |name: &str, packet: Ipv6| case(direction, S::ExtensionHeaders, name, packet, ExtensionTruncated);
    let options = || destination(&[]);
    let many = |first: Extension, count| [vec![first], vec![options(); count]].concat();
    // 20 bytes of TCP follow each of these.
    let long = |extension: Extension, length| behind(direction, vec![extension.length(length)]);
    vec![
        of("ext_hop_by_hop", vec![hop_by_hop(&[])], Traffic),
        of("ext_destination", vec![options()], Traffic),
        of("ext_destination_2k", vec![destination(&[0; 2046])], Traffic),
        of(
            "ext_all_kinds",
            vec![router_alert(), options(), routing(2, 0), atomic(), authentication(12), options()],
            Traffic,
        ),
        of("ext_eight", many(options(), 7), Traffic),
        of("ext_nine", many(options(), 8), TooManyHeaders),
        of("ext_eight_with_hop_by_hop", many(hop_by_hop(&[]), 7), Traffic),
        of("ext_nine_with_hop_by_hop", many(hop_by_hop(&[]), 8), TooManyHeaders),
        of("ext_eight_with_atomic", many(atomic(), 7), Traffic),
        of("ext_nine_with_atomic", many(atomic(), 8), TooManyHeaders),
        of("ext_ninth_is_fragment", [vec![options(); 8], vec![fragment(1, 8, false)]].concat(), TooManyHeaders),
        of("ext_twenty", many(options(), 19), TooManyHeaders),
        of("ext_hop_by_hop_twice", vec![hop_by_hop(&[]), hop_by_hop(&[])], HopByHopNotFirst),
        of("ext_hop_by_hop_second", vec![options(), hop_by_hop(&[])], HopByHopNotFirst),
        of("ext_hop_by_hop_behind_ah", vec![authentication(12), hop_by_hop(&[])], HopByHopNotFirst),
        of("ext_hop_by_hop_behind_atomic", vec![atomic(), hop_by_hop(&[])], HopByHopNotFirst),
        of("ext_hop_by_hop_behind_routing", vec![routing(4, 0), router_alert()], HopByHopNotFirst),
        of("ext_ah_96", vec![authentication(12)], Traffic),
        of("ext_ah_256", vec![authentication(32)], Traffic),
        of("ext_ah_between_options", vec![options(), authentication(12), options()], Traffic),
        of("ext_ah_twice", vec![authentication(12), authentication(16)], Traffic),
        // AH counts in units of 4 with 2 less: length 0 is 8 bytes.
        of("ext_ah_of_8_bytes", vec![Extension::new(51, vec![0, 0, 0, 0, 0, 0, 1])], Traffic),
        case(direction, S::ExtensionHeaders, "ext_ah_up_to_the_end", long(authentication(12), 9), UpperTruncated),
        cut("ext_ah_4_beyond_the_end", long(authentication(12), 10)),
        cut("ext_ah_255", long(authentication(12), 255)),
        // 8 bytes of header and 20 of TCP: length 2 leaves 4 bytes, length 3 is 4 bytes too long.
        case(direction, S::ExtensionHeaders, "ext_options_into_tcp", long(options(), 2), UpperTruncated),
        cut("ext_options_4_beyond_the_end", long(options(), 3)),
        cut("ext_options_255", long(options(), 255)),
        cut("ext_hop_by_hop_255", long(hop_by_hop(&[]), 255)),
        cut("ext_routing_255", long(routing(2, 0), 255)),
        cut("ext_of_7_bytes", behind(direction, vec![options()]).cut(21)),
        cut("ext_of_1_byte", behind(direction, vec![options()]).cut(27)),
        cut("ext_named_but_absent", behind(direction, vec![hop_by_hop(&[]), options()]).cut(28)),
        cut("ext_fragment_header_of_7_bytes", behind(direction, vec![atomic()]).cut(21)),
        cut("ext_ah_of_7_bytes", behind(direction, vec![authentication(0)]).cut(25)),
        cut("ext_last_names_one_more", behind(direction, vec![options().next(60)]).cut(20)),
    ]
}

fn ends(direction: Direction) -> Vec<Case> {
    let tcp_behind = |extension| behind(direction, vec![extension]);
    let (from, to) = match direction {
        Direction::FromVm => (VM, STRANGER),
        Direction::ToVm => (STRANGER, VM),
    };
    let upper = |protocol, bytes: usize| Ipv6::new(from, to, raw(protocol, vec![0; bytes]));
    let mut cases = vec![
        case(direction, S::ExtensionHeaders, "end_mobility", tcp_behind(mobility()), Traffic),
        case(direction, S::ExtensionHeaders, "end_shim6", tcp_behind(shim6()), Traffic),
        case(direction, S::ExtensionHeaders, "end_no_next_header", tcp_behind(hop_by_hop(&[]).next(59)), Traffic),
        case(direction, S::UpperHeader, "end_icmpv4", upper(1, 8), Icmpv4),
        case(direction, S::UpperHeader, "end_icmpv4_behind_options", upper(1, 8).ext(destination(&[])), Icmpv4),
        case(direction, S::UpperHeader, "end_icmpv4_atomic", upper(1, 8).ext(atomic()), Icmpv4),
        case(direction, S::UpperHeader, "end_icmpv4_empty", upper(1, 0).ext(hop_by_hop(&[])), Icmpv4),
    ];
    for (name, protocol) in [
        ("esp", 50),
        ("ipv6_in_ipv6", 41),
        ("ipv4_in_ipv6", 4),
        ("igmp", 2),
        ("gre", 47),
        ("ospf", 89),
        ("pim", 103),
        ("ipcomp", 108),
        ("vrrp", 112),
        ("l2tp", 115),
        ("sctp", 132),
        ("udp_lite", 136),
        ("mpls", 137),
        ("hip", 139),
        ("ethernet", 143),
        ("experiment", 253),
        ("reserved", 255),
    ] {
        cases.push(case(direction, S::ExtensionHeaders, &format!("end_{name}"), upper(protocol, 24), Traffic));
    }
    // Nothing of these is looked into, so nothing need be there.
    cases.push(case(direction, S::UpperHeader, "end_esp_of_1_byte", upper(50, 1), Traffic));
    cases.push(case(direction, S::UpperHeader, "end_esp_empty", upper(50, 0).ext(hop_by_hop(&[])), Traffic));
    cases
}

fn routes(direction: Direction) -> Vec<Case> {
    let of =
        |name: &str, extensions, reason| case(direction, S::RoutingHeader, name, behind(direction, extensions), reason);
    let first = behind(direction, vec![fragment(9, 0, true), routing(0, 1)]).upper(udp(1, 2, &[0; 16]));
    let around = |name: &str, kind, inside, reason| {
        let packet = behind(direction, vec![routing(kind, 0)]).upper(raw(inside, vec![0; 40]));
        case(direction, S::RoutingHeader, name, packet, reason)
    };
    vec![
        case(direction, S::RoutingHeader, "route_0_in_first_fragment", first, RoutingType0),
        of("route_0_segments_0", vec![routing(0, 0)], RoutingType0),
        of("route_0_segments_1", vec![routing(0, 1)], RoutingType0),
        of("route_0_segments_255", vec![routing(0, 255)], RoutingType0),
        of("route_0_behind_hop_by_hop", vec![hop_by_hop(&[]), routing(0, 1)], RoutingType0),
        of("route_0_behind_options", vec![destination(&[]), routing(0, 1)], RoutingType0),
        of("route_0_behind_ah", vec![authentication(12), routing(0, 1)], RoutingType0),
        of("route_0_behind_atomic", vec![atomic(), routing(0, 1)], RoutingType0),
        of("route_0_behind_route_2", vec![routing(2, 0), routing(0, 1)], RoutingType0),
        of("route_0_before_later_fragment", vec![routing(0, 1), fragment(9, 8, false)], RoutingType0),
        of("route_1_nimrod_used_up", vec![routing(1, 0)], Traffic),
        of("route_1_nimrod", vec![routing(1, 1)], RoutingSegmentsLeft),
        of("route_2_mobile_used_up", vec![routing(2, 0)], Traffic),
        of("route_2_mobile", vec![routing(2, 1)], RoutingSegmentsLeft),
        of("route_3_rpl_used_up", vec![routing(3, 0)], Traffic),
        of("route_3_rpl", vec![routing(3, 2)], RoutingSegmentsLeft),
        of("route_4_segments_used_up", vec![routing(4, 0)], Traffic),
        of("route_4_segments", vec![routing(4, 1)], RoutingSegmentsLeft),
        of("route_253", vec![routing(253, 255)], RoutingSegmentsLeft),
        of("route_255_used_up", vec![routing(255, 0)], Traffic),
        of("route_4_behind_ah", vec![authentication(12), routing(4, 1)], RoutingSegmentsLeft),
        around("route_4_around_ipv6", 4, 41, RoutingTunnel),
        around("route_4_around_ipv4", 4, 4, RoutingTunnel),
        around("route_4_around_ethernet", 4, 143, RoutingTunnel),
        around("route_3_around_ipv6", 3, 41, RoutingTunnel),
        around("route_4_around_gre", 4, 47, Traffic),
    ]
}
