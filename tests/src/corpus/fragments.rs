//! Fragments: what was decided about the first one holds for those that follow, and for nothing else.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::extension::{atomic, destination, fragment, hop_by_hop};
use crate::frame::{Extension, Ipv6, Upper, dhcpv6, icmpv6, nd, raw, tcp, udp};
use crate::world::*;

const ID: u32 = 0x5eed_0001;

pub(super) fn cases() -> Vec<Case> {
    let either = Direction::ALL.into_iter().flat_map(|direction| [memory(direction), shapes(direction)]).flatten();
    [either.collect(), only_from_vm(), only_to_vm(), discovery()].concat()
}

/// A packet with honest addresses.
fn packet(direction: Direction, upper: Upper) -> Ipv6 {
    match direction {
        Direction::FromVm => Ipv6::new(VM, STRANGER, upper),
        Direction::ToVm => Ipv6::new(STRANGER, VM, upper),
    }
}

/// A fragment of any honest packet: `size` bytes at `offset`.
fn piece(direction: Direction, identification: u32, offset: usize, size: usize, more: bool) -> Ipv6 {
    packet(direction, raw(17, vec![0x55; size])).ext(fragment(identification, offset, more))
}

/// A first fragment of a UDP datagram, `size` bytes with its header.
fn first(direction: Direction, identification: u32, size: usize) -> Ipv6 {
    packet(direction, udp(5000, 5001, &vec![0x55; size - 8])).ext(fragment(identification, 0, true))
}

fn memory(direction: Direction) -> Vec<Case> {
    let start = |name: &str, packet: Ipv6, reason: Reason| {
        Case::new(direction, format!("frag_{name}_{}", direction.name()), S::Fragments, packet, reason)
    };
    let piece = |id, offset, size, more| piece(direction, id, offset, size, more);
    let first = |id, size| first(direction, id, size);
    vec![
        start("in_order", first(ID, 1448), Traffic)
            .then(piece(ID, 1448, 1448, true), Fragment)
            .then(piece(ID, 2896, 3, false), Fragment),
        start("rest_out_of_order", first(ID, 1448), Traffic)
            .then(piece(ID, 2896, 3, false), Fragment)
            .then(piece(ID, 1448, 1448, true), Fragment),
        start("first_comes_last", piece(ID, 1448, 3, false), FragmentUnknown)
            .then(first(ID, 1448), Traffic)
            .then(piece(ID, 1448, 3, false), Fragment),
        start("unknown", piece(ID, 1448, 3, false), FragmentUnknown),
        start("unknown_at_8", piece(ID, 8, 8, true), FragmentUnknown),
        start("another_identification", first(ID, 1448), Traffic)
            .then(piece(ID + 1, 1448, 3, false), FragmentUnknown)
            .then(piece(ID ^ 0x8000_0000, 1448, 3, false), FragmentUnknown),
        start("interleaved", first(ID, 1448), Traffic)
            .then(first(ID + 1, 808), Traffic)
            .then(piece(ID + 1, 808, 3, false), Fragment)
            .then(piece(ID, 1440, 16, false), FragmentOverlap)
            .then(piece(ID, 1448, 3, false), Fragment),
        start("at_its_end", first(ID, 64), Traffic).then(piece(ID, 64, 1, false), Fragment),
        start("past_its_end", first(ID, 64), Traffic).then(piece(ID, 72, 1, false), Fragment),
        start("overlaps_by_8", first(ID, 64), Traffic).then(piece(ID, 56, 16, false), FragmentOverlap),
        start("overlaps_header", first(ID, 64), Traffic).then(piece(ID, 8, 8, true), FragmentOverlap),
        start("overlap_after_honest_ones", first(ID, 64), Traffic)
            .then(piece(ID, 64, 8, false), Fragment)
            .then(piece(ID, 16, 8, true), FragmentOverlap),
        start("second_first_is_shorter", first(ID, 1448), Traffic)
            .then(first(ID, 16), Traffic)
            .then(piece(ID, 16, 8, false), FragmentOverlap)
            .then(piece(ID, 1448, 8, false), Fragment),
        start("second_first_is_longer", first(ID, 16), Traffic)
            .then(first(ID, 1448), Traffic)
            .then(piece(ID, 16, 8, true), FragmentOverlap)
            .then(piece(ID, 1448, 8, false), Fragment),
        start("atomic_is_not_remembered", packet(direction, udp(1, 2, &[0; 8])).ext(fragment(ID, 0, false)), Traffic)
            .then(piece(ID, 16, 8, false), FragmentUnknown),
        start("bad_first_is_not_remembered", first(ID, 64).ext(hop_by_hop(&[])), HopByHopNotFirst)
            .then(piece(ID, 64, 8, false), FragmentUnknown),
        start(
            "headless_is_not_remembered",
            packet(direction, raw(6, vec![0; 16])).ext(fragment(ID, 0, true)),
            FragmentHeadless,
        )
        .then(piece(ID, 16, 8, false), FragmentUnknown),
        start("big_echo", packet(direction, icmpv6::message(128, 0, &[0; 1444])).ext(fragment(ID, 0, true)), Echo)
            .then(piece(ID, 1448, 560, false), Fragment),
        // A receiver takes the upper protocol from the first fragment, so what a later one claims means nothing.
        start("later_claims_icmpv6", first(ID, 64), Traffic)
            .then(packet(direction, raw(58, vec![134; 32])).ext(fragment(ID, 64, false)), Fragment),
        start("later_behind_hop_by_hop", first(ID, 64), Traffic)
            .then(packet(direction, raw(17, vec![0; 8])).ext(hop_by_hop(&[])).ext(fragment(ID, 64, false)), Fragment),
        start("esp", packet(direction, raw(50, vec![7; 64])).ext(fragment(ID, 0, true)), Traffic)
            .then(packet(direction, raw(50, vec![7; 9])).ext(fragment(ID, 64, false)), Fragment),
    ]
}

fn shapes(direction: Direction) -> Vec<Case> {
    let of = |name: &str, packet: Ipv6, reason: Reason| {
        Case::new(direction, format!("frag_{name}_{}", direction.name()), S::Fragments, packet, reason)
    };
    let piece = |offset, size, more| piece(direction, ID, offset, size, more);
    let first = |upper| packet(direction, upper).ext(fragment(ID, 0, true));
    let whole = |upper| packet(direction, upper).ext(atomic());
    vec![
        of("atomic_tcp", whole(tcp(1, 2, 2)), Traffic),
        of("atomic_echo", whole(icmpv6::echo_request()), Echo),
        of("atomic_empty", whole(raw(17, vec![])), UpperTruncated),
        of("atomic_tcp_of_19", whole(tcp(1, 2, 2)).cut(1), UpperTruncated),
        of("atomic_behind_options", packet(direction, tcp(1, 2, 2)).ext(destination(&[])).ext(atomic()), Traffic),
        of("first_is_whole_chain", first(udp(1, 2, &[0; 8])).ext(destination(&[])), Traffic),
        of("first_just_udp_header", first(udp(1, 2, &[])), Traffic),
        of("first_tcp_of_8", first(raw(6, vec![0; 8])), FragmentHeadless),
        of("first_tcp_of_16", first(raw(6, vec![0; 16])), FragmentHeadless),
        of("first_tcp_of_24", first(raw(6, vec![0; 24])), Traffic),
        of("first_ends_before_upper", first(raw(17, vec![])).ext(destination(&[])), FragmentHeadless),
        of("first_ends_within_options", first(udp(1, 2, &[])).ext(destination(&[]).length(2)), FragmentHeadless),
        of("first_names_absent_header", first(raw(60, vec![])).ext(destination(&[])), FragmentHeadless),
        of("more_but_empty", piece(0, 0, true), FragmentEmpty),
        of("more_but_empty_later", piece(64, 0, true), FragmentEmpty),
        of("more_and_9_bytes", piece(0, 9, true), FragmentLength),
        of("more_and_9_bytes_later", piece(64, 9, true), FragmentLength),
        of("more_and_7_bytes", piece(0, 7, true), FragmentLength),
        of("last_may_be_empty", piece(64, 0, false), FragmentUnknown),
        of("last_may_have_any_length", piece(64, 9, false), FragmentUnknown),
        of("twice_atomic", whole(tcp(1, 2, 2)).ext(atomic()), FragmentTwice),
        of("twice_atomic_then_first", whole(udp(1, 2, &[])).ext(fragment(ID, 0, true)), FragmentTwice),
        of("twice_first_then_later", first(udp(1, 2, &[])).ext(fragment(ID, 8, false)), FragmentTwice),
        of("twice_apart", whole(tcp(1, 2, 2)).ext(destination(&[])).ext(atomic()), FragmentTwice),
        of("up_to_65535", piece(65520, 15, false), FragmentUnknown),
        of("up_to_65536", piece(65520, 16, false), FragmentTooLong),
        of("ping_of_death", piece(65528, 1400, false), FragmentTooLong),
        // What stands before the fragment header is in the reassembled packet too.
        of(
            "up_to_65536_with_hop_by_hop",
            packet(direction, raw(17, vec![0; 8])).ext(hop_by_hop(&[])).ext(fragment(ID, 65520, false)),
            FragmentTooLong,
        ),
        of(
            "reserved_bits_mean_nothing",
            packet(direction, tcp(1, 2, 2)).ext(Extension::new(44, vec![0xff, 0, 6, 0, 0, 0, 1])),
            Traffic,
        ),
    ]
}

fn only_from_vm() -> Vec<Case> {
    let case = |name: &str, packet, reason| from_vm(format!("frag_{name}"), S::Fragments, packet, reason);
    let out = Direction::FromVm;
    let later = |from, to| Ipv6::new(from, to, raw(17, vec![0; 8])).ext(fragment(ID, 64, false));
    let dhcp = |upper: Upper| Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, upper).ext(fragment(ID, 0, true));
    let server = Ipv6::new(VM, STRANGER, udp(547, 547, &[0; 56])).ext(fragment(ID, 0, true));
    vec![
        case("of_another_destination", first(out, ID, 64), Traffic).then(later(VM, NEIGHBOUR), FragmentUnknown),
        case("of_another_own_source", first(out, ID, 64), Traffic)
            .then(later(EXTRA, STRANGER), FragmentUnknown)
            .on(Ports::Delegated),
        case("of_a_foreign_source", first(out, ID, 64), Traffic).then(later(NEIGHBOUR, STRANGER), SourcePrivacy),
        case("spoofed_first_then_later", first(out, ID, 64).from(STRANGER), SourceSpoofed)
            .then(later(STRANGER, STRANGER), SourceSpoofed),
        case("later_from_nobody", later(UNSPECIFIED, STRANGER), SourceUnspecified),
        case("later_to_nobody", later(VM, UNSPECIFIED), DestinationUnspecified),
        case("later_on_link", later(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL), FragmentUnknown),
        case("udp_on_link", first(out, ID, 64).from(VM_LINK_LOCAL).to(NEIGHBOUR_LINK_LOCAL), LinkLocalTraffic)
            .then(later(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL), FragmentUnknown),
        case("dhcpv6_server", server, Dhcpv6ServerFromVm).then(later(VM, STRANGER), FragmentUnknown),
        case("dhcpv6_solicit", dhcp(udp(546, 547, &[1; 56])), Dhcpv6).then(later(VM_LINK_LOCAL, DHCP_AGENTS), Fragment),
        case("dhcpv6_without_its_type", dhcp(udp(546, 547, &[])), FragmentHeadless)
            .then(later(VM_LINK_LOCAL, DHCP_AGENTS), FragmentUnknown),
        case("dhcpv6_solicit_atomic", Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(1)).ext(atomic()), Dhcpv6),
        case(
            "redirect_first",
            Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, nd::redirect(VM, STRANGER, &[]))
                .hops(255)
                .ext(fragment(ID, 0, true)),
            RedirectFromVm,
        )
        .then(later(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL), FragmentUnknown),
    ]
}

fn only_to_vm() -> Vec<Case> {
    let case = |name: &str, packet, reason| to_vm(format!("frag_{name}"), S::Fragments, packet, reason);
    let back = Direction::ToVm;
    let later = |from, to| Ipv6::new(from, to, raw(17, vec![0; 8])).ext(fragment(ID, 64, false));
    let error = icmpv6::error(1, 4, &Ipv6::new(VM, STRANGER, udp(1, 2, &[0; 16])));
    vec![
        case("of_another_sender", first(back, ID, 64), Traffic).then(later(NEIGHBOUR, VM), FragmentUnknown),
        case("to_another_own_address", first(back, ID, 64), Traffic)
            .then(later(STRANGER, EXTRA), FragmentUnknown)
            .on(Ports::Delegated),
        case("to_another_vm", first(back, ID, 64), Traffic).then(later(STRANGER, NEIGHBOUR), NotForThisVm),
        case("later_from_the_vm_itself", later(VM, VM), SourceIsThisVm),
        case(
            "error_whose_quote_is_whole",
            Ipv6::new(STRANGER, VM, error.clone()).ext(fragment(ID, 0, true)),
            IcmpError,
        ),
        case(
            "error_without_its_quote",
            Ipv6::new(STRANGER, VM, error).ext(fragment(ID, 0, true)).cut(64),
            FragmentHeadless,
        ),
        case(
            "dhcpv6_reply",
            Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, udp(547, 546, &[7; 56])).ext(fragment(ID, 0, true)),
            Dhcpv6,
        )
        .then(later(ROUTER_LINK_LOCAL, VM_LINK_LOCAL), Fragment),
    ]
}

/// RFC 6980: no part of neighbour discovery is ever fragmented.
fn discovery() -> Vec<Case> {
    let out = |name: &str, from, to, upper: Upper, header: Extension| {
        let packet = Ipv6::new(from, to, upper).hops(255).ext(header);
        from_vm(format!("frag_nd_{name}_from_vm"), S::NdFragments, packet, NdFragmented)
    };
    let back = |name: &str, from, to, upper: Upper, header: Extension| {
        let packet = Ipv6::new(from, to, upper).hops(255).ext(header);
        to_vm(format!("frag_nd_{name}_to_vm"), S::NdFragments, packet, NdFragmented).on(Ports::Routers)
    };
    let more = || fragment(ID, 0, true);
    let ns = || nd::ns(NEIGHBOUR_LINK_LOCAL, &[nd::slla(VM_MAC)]);
    let na = || nd::na(VM, &[nd::tlla(VM_MAC)]);
    let ra = || nd::ra(&[nd::prefix(VM)]);
    let redirect = || nd::redirect(NEIGHBOUR_LINK_LOCAL, NEIGHBOUR, &[]);
    let unfragmented = Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_SOLICITED, ns()).hops(255);
    let advertised = Ipv6::new(ROUTER_LINK_LOCAL, ALL_NODES, ra()).hops(255);
    vec![
        from_vm("frag_nd_none_from_vm", S::NdFragments, unfragmented, NeighbourSolicitation),
        to_vm("frag_nd_none_to_vm", S::NdFragments, advertised, RouterAdvertisement),
        out("ns_atomic", VM_LINK_LOCAL, NEIGHBOUR_SOLICITED, ns(), atomic()),
        out("ns_first", VM_LINK_LOCAL, NEIGHBOUR_SOLICITED, ns(), more()),
        out("dad_atomic", UNSPECIFIED, VM_SOLICITED, nd::ns(VM, &[]), atomic()),
        out("na_atomic", VM, ALL_NODES, na(), atomic()),
        out("na_first", VM, ALL_NODES, na(), more()),
        out("rs_atomic", VM_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[]), atomic()),
        out("rs_first", VM_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[]), more()),
        back("ra_atomic", ROUTER_LINK_LOCAL, ALL_NODES, ra(), atomic()),
        back("ra_first", ROUTER_LINK_LOCAL, ALL_NODES, ra(), more()).then(
            Ipv6::new(ROUTER_LINK_LOCAL, ALL_NODES, raw(58, vec![0; 16])).ext(fragment(ID, 48, false)),
            FragmentUnknown,
        ),
        back("ns_atomic", ROUTER_LINK_LOCAL, VM_SOLICITED, nd::ns(VM, &[]), atomic()),
        back("na_atomic", NEIGHBOUR, VM, nd::na(NEIGHBOUR, &[]), atomic()),
        back("redirect_atomic", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, redirect(), atomic()),
        back("redirect_first", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, redirect(), more()),
    ]
}
