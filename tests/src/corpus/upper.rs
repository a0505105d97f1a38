//! Upper-layer headers: whole, or nothing can be said about the packet.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::extension::{authentication, destination};
use crate::frame::{Ipv6, Upper, icmpv6, nd, sctp, tcp, udp};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    [Direction::ALL.into_iter().flat_map(transport).collect(), discovery_out(), discovery_in()].concat()
}

fn transport(direction: Direction) -> Vec<Case> {
    let (from, to) = match direction {
        Direction::FromVm => (VM, STRANGER),
        Direction::ToVm => (STRANGER, VM),
    };
    let of = |name: &str, upper: Upper, cut, reason: Reason| {
        let packet = Ipv6::new(from, to, upper).cut(cut);
        Case::new(direction, format!("upper_{name}_{}", direction.name()), S::UpperHeader, packet, reason)
    };
    let wrapped = |name: &str, extension, cut, reason: Reason| {
        let packet = Ipv6::new(from, to, tcp(1, 2, 2)).ext(extension).cut(cut);
        Case::new(direction, format!("upper_{name}_{}", direction.name()), S::UpperHeader, packet, reason)
    };
    vec![
        of("tcp_20", tcp(1, 2, 2), 0, Traffic),
        of("tcp_19", tcp(1, 2, 2), 1, UpperTruncated),
        of("tcp_4", tcp(1, 2, 2), 16, UpperTruncated),
        of("udp_8", udp(1, 2, &[]), 0, Traffic),
        of("udp_7", udp(1, 2, &[]), 1, UpperTruncated),
        of("udp_1", udp(1, 2, &[]), 7, UpperTruncated),
        of("icmpv6_8", icmpv6::echo_request(), 8, Echo),
        of("icmpv6_7", icmpv6::echo_request(), 9, UpperTruncated),
        of("icmpv6_4", icmpv6::echo_request(), 12, UpperTruncated),
        of("icmpv6_1", icmpv6::echo_request(), 15, UpperTruncated),
        of("sctp_12", sctp(1, 2), 4, Traffic),
        wrapped("tcp_20_behind_options", destination(&[]), 0, Traffic),
        wrapped("tcp_19_behind_options", destination(&[]), 1, UpperTruncated),
        wrapped("tcp_none_behind_options", destination(&[]), 20, UpperTruncated),
        wrapped("tcp_19_behind_ah", authentication(12), 1, UpperTruncated),
        wrapped("tcp_none_behind_ah", authentication(12), 20, UpperTruncated),
    ]
}

fn discovery_out() -> Vec<Case> {
    let of = |name: &str, to, upper, cut, reason| {
        let packet = Ipv6::new(VM_LINK_LOCAL, to, upper).hops(255).cut(cut);
        from_vm(format!("upper_{name}_from_vm"), S::UpperHeader, packet, reason)
    };
    vec![
        of("rs_8", ALL_ROUTERS, nd::rs(&[]), 0, RouterSolicitation),
        of("rs_7", ALL_ROUTERS, nd::rs(&[]), 1, UpperTruncated),
        of("ra_15", ALL_NODES, nd::ra(&[]), 1, UpperTruncated),
        of("ns_24", NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[]), 0, NeighbourSolicitation),
        of("ns_23", NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[]), 1, UpperTruncated),
        of("ns_8", NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[]), 16, UpperTruncated),
        of("na_24", ALL_NODES, nd::na(VM, &[]), 0, NeighbourAdvertisement),
        of("na_23", ALL_NODES, nd::na(VM, &[]), 1, UpperTruncated),
        of("redirect_39", NEIGHBOUR_LINK_LOCAL, nd::redirect(VM, STRANGER, &[]), 1, UpperTruncated),
    ]
}

fn discovery_in() -> Vec<Case> {
    let of = |name: &str, to, upper, cut, reason| {
        let packet = Ipv6::new(ROUTER_LINK_LOCAL, to, upper).hops(255).cut(cut);
        to_vm(format!("upper_{name}_to_vm"), S::UpperHeader, packet, reason).on(Ports::Routers)
    };
    vec![
        of("ra_16", ALL_NODES, nd::ra(&[]), 0, RouterAdvertisement),
        of("ra_15", ALL_NODES, nd::ra(&[]), 1, UpperTruncated),
        of("ra_8", ALL_NODES, nd::ra(&[]), 8, UpperTruncated),
        of("ns_24", VM_SOLICITED, nd::ns(VM, &[]), 0, NeighbourSolicitation),
        of("ns_23", VM_SOLICITED, nd::ns(VM, &[]), 1, UpperTruncated),
        of("na_24", VM_LINK_LOCAL, nd::na(ROUTER_LINK_LOCAL, &[]), 0, NeighbourAdvertisement),
        of("na_23", VM_LINK_LOCAL, nd::na(ROUTER_LINK_LOCAL, &[]), 1, UpperTruncated),
        of("redirect_40", VM_LINK_LOCAL, nd::redirect(NEIGHBOUR_LINK_LOCAL, NEIGHBOUR, &[]), 0, Redirect),
        of("redirect_39", VM_LINK_LOCAL, nd::redirect(NEIGHBOUR_LINK_LOCAL, NEIGHBOUR, &[]), 1, UpperTruncated),
    ]
}
