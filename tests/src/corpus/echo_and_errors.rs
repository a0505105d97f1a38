//! Echo, ICMPv6 errors, and the types that have no row of their own.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::extension::{atomic, authentication, destination, hop_by_hop, routing};
use crate::frame::{Ipv6, Upper, icmpv6, tcp, udp};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    let types = Direction::ALL.into_iter().flat_map(types).collect();
    [echo(), errors_out(), errors_in(), types].concat()
}

fn echo() -> Vec<Case> {
    let out = |name: &str, from, to, upper, reason| {
        from_vm(format!("echo_{name}_from_vm"), S::Echo, Ipv6::new(from, to, upper), reason)
    };
    let back = |name: &str, from, to, upper, reason| {
        to_vm(format!("echo_{name}_to_vm"), S::Echo, Ipv6::new(from, to, upper), reason)
    };
    let (ask, answer) = (icmpv6::echo_request, icmpv6::echo_reply);
    vec![
        out("request", VM, STRANGER, ask(), Echo),
        out("reply", VM, STRANGER, answer(), Echo),
        out("request_on_link", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, ask(), Echo),
        out("reply_on_link", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, answer(), Echo),
        out("request_to_all_nodes", VM_LINK_LOCAL, ALL_NODES, ask(), Echo),
        out("request_of_another_code", VM, STRANGER, ask().code(1), Echo),
        out("spoofed_request", STRANGER, NEIGHBOUR, ask(), SourceSpoofed),
        out("reply_in_anothers_name", NEIGHBOUR, STRANGER, answer(), SourcePrivacy),
        back("request", STRANGER, VM, ask(), Echo),
        back("reply", STRANGER, VM, answer(), Echo),
        back("request_on_link", NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL, ask(), Echo),
        back("request_to_all_nodes", ROUTER_LINK_LOCAL, ALL_NODES, ask(), Echo),
        back("request_for_neighbour", STRANGER, NEIGHBOUR, ask(), NotForThisVm),
    ]
}

fn errors_out() -> Vec<Case> {
    let came = |from, to| Ipv6::new(from, to, udp(40000, 9, &[0; 16]));
    let of = |name: &str, upper: Upper, reason: Reason| {
        from_vm(format!("error_{name}_from_vm"), S::Errors, Ipv6::new(VM, STRANGER, upper), reason)
    };
    let about = |kind, code, to| icmpv6::error(kind, code, &came(STRANGER, to));
    let wrapped = Ipv6::new(VM, STRANGER, about(2, 0, NEIGHBOUR));
    let of_40 = came(STRANGER, VM).bytes()[..40].to_vec();
    vec![
        of("unreachable_port", about(1, 4, VM), IcmpError),
        of("too_big", about(2, 0, VM), IcmpError),
        of("time_exceeded_reassembly", about(3, 1, VM), IcmpError),
        of("parameter_problem", about(4, 1, VM), IcmpError),
        of("of_unknown_code", about(1, 200, VM), IcmpError),
        of("about_packet_to_link_local", about(1, 4, VM_LINK_LOCAL), IcmpError),
        of("too_big_about_group", about(2, 0, WIDE_GROUP), IcmpError),
        of("parameter_problem_about_link_group", about(4, 2, ALL_NODES), IcmpError),
        of("about_strangers_packet_to_neighbour", about(2, 0, NEIGHBOUR), ErrorForeign),
        of("about_packet_to_stranger", about(1, 0, ROUTER), ErrorForeign),
        of("about_own_packet", icmpv6::error(1, 0, &came(VM, STRANGER)), ErrorForeign),
        of("about_packet_to_privacy_address", about(1, 4, VM_PRIVACY), ErrorForeign),
        of("about_packet_to_unspecified", about(1, 4, UNSPECIFIED), ErrorForeign),
        of("about_packet_to_loopback", about(1, 4, Ipv6Addr::LOCALHOST), ErrorForeign),
        of("quoting_routing_header", icmpv6::error(1, 4, &came(STRANGER, VM).ext(routing(4, 0))), ErrorRouted),
        of(
            "quoting_routing_header_behind_options",
            icmpv6::error(1, 4, &came(STRANGER, VM).ext(hop_by_hop(&[])).ext(destination(&[])).ext(routing(4, 1))),
            ErrorRouted,
        ),
        of("quoting_options", icmpv6::error(1, 4, &came(STRANGER, VM).ext(destination(&[]))), IcmpError),
        of("quote_of_40", icmpv6::error_about(1, 4, &of_40), IcmpError),
        of("quote_of_39", icmpv6::error_about(1, 4, &of_40[..39]), ErrorTruncated),
        of("without_quote", icmpv6::error_about(2, 0, &[]), ErrorTruncated),
        from_vm("error_behind_options_from_vm", S::Errors, wrapped.clone().ext(destination(&[])), ErrorForeign),
        from_vm("error_behind_hop_by_hop_from_vm", S::Errors, wrapped.clone().ext(hop_by_hop(&[])), ErrorForeign),
        from_vm("error_behind_ah_from_vm", S::Errors, wrapped.clone().ext(authentication(12)), ErrorForeign),
        from_vm("error_atomic_from_vm", S::Errors, wrapped.ext(atomic()), ErrorForeign),
        from_vm(
            "error_quote_in_the_padding_from_vm",
            S::Errors,
            Ipv6::new(VM, STRANGER, about(2, 0, VM)).cut(64).ethernet(Direction::FromVm).pad(64),
            ErrorTruncated,
        ),
        from_vm(
            "error_about_delegated_from_vm",
            S::Errors,
            Ipv6::new(VM, STRANGER, about(1, 0, DELEGATED_LAST)),
            IcmpError,
        )
        .on(Ports::Delegated),
        from_vm(
            "error_about_foreign_delegated_from_vm",
            S::Errors,
            Ipv6::new(VM, STRANGER, about(1, 0, DELEGATED_AFTER)),
            ErrorForeign,
        )
        .on(Ports::Delegated),
        from_vm(
            "error_on_link_from_vm",
            S::Errors,
            Ipv6::new(
                VM_LINK_LOCAL,
                NEIGHBOUR_LINK_LOCAL,
                icmpv6::error(1, 4, &came(NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL)),
            ),
            IcmpError,
        ),
    ]
}

fn errors_in() -> Vec<Case> {
    let sent = |from, to| Ipv6::new(from, to, tcp(40000, 443, 2));
    let of = |name: &str, from, upper: Upper, reason: Reason| {
        to_vm(format!("error_{name}_to_vm"), S::Errors, Ipv6::new(from, VM, upper), reason)
    };
    let about = |kind, code, from| icmpv6::error(kind, code, &sent(from, STRANGER));
    let of_40 = sent(VM, STRANGER).bytes()[..40].to_vec();
    vec![
        of("too_big", ROUTER, about(2, 0, VM), IcmpError),
        of("too_big_from_router_link_local", ROUTER_LINK_LOCAL, about(2, 0, VM), IcmpError),
        of("unreachable", STRANGER, about(1, 4, VM), IcmpError),
        of("time_exceeded", ROUTER, about(3, 0, VM), IcmpError),
        of("parameter_problem", STRANGER, about(4, 1, VM), IcmpError),
        of("about_link_local_packet", ROUTER_LINK_LOCAL, about(1, 0, VM_LINK_LOCAL), IcmpError),
        of("about_strangers_packet", STRANGER, about(2, 0, STRANGER), ErrorForeign),
        of("about_neighbours_packet", ROUTER, about(2, 0, NEIGHBOUR), ErrorForeign),
        of("about_packet_to_the_vm", ROUTER, icmpv6::error(1, 0, &sent(STRANGER, VM)), ErrorForeign),
        of("about_privacy_packet", ROUTER, about(2, 0, VM_PRIVACY), ErrorForeign),
        of("about_group_packet", ROUTER, about(2, 0, WIDE_GROUP), ErrorForeign),
        of("quote_of_40", ROUTER, icmpv6::error_about(2, 0, &of_40), IcmpError),
        of("quote_of_39", ROUTER, icmpv6::error_about(2, 0, &of_40[..39]), ErrorTruncated),
        of("without_quote", ROUTER, icmpv6::error_about(1, 0, &[]), ErrorTruncated),
        to_vm("error_about_delegated_to_vm", S::Errors, Ipv6::new(ROUTER, VM, about(3, 0, DELEGATED_LAST)), IcmpError)
            .on(Ports::Delegated),
        to_vm(
            "error_about_own_mld_to_vm",
            S::Errors,
            Ipv6::new(
                ROUTER_LINK_LOCAL,
                VM_LINK_LOCAL,
                icmpv6::error(4, 1, &Ipv6::new(VM_LINK_LOCAL, MLD2_ROUTERS, icmpv6::mld2_report(&[]))),
            ),
            IcmpError,
        ),
    ]
}

/// Some types never cross a port; the others wait for a rule that names them.
fn types(direction: Direction) -> Vec<Case> {
    let way = direction.name();
    let (local, global) = match direction {
        Direction::FromVm => ((VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL), (VM, STRANGER)),
        Direction::ToVm => ((NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL), (STRANGER, VM)),
    };
    let mut cases = Vec::new();
    for (name, kind, section, reason) in [
        ("reserved_0", 0, S::OtherTypes, IcmpNeedsRule),
        ("error_5", 5, S::OtherTypes, IcmpNeedsRule),
        ("private_error_100", 100, S::OtherTypes, IcmpNeedsRule),
        ("private_error_101", 101, S::OtherTypes, IcmpNeedsRule),
        ("expansion_127", 127, S::OtherTypes, IcmpNeedsRule),
        ("router_renumbering", 138, S::ForbiddenTypes, IcmpForbidden),
        ("node_information_query", 139, S::ForbiddenTypes, IcmpForbidden),
        ("node_information_answer", 140, S::ForbiddenTypes, IcmpForbidden),
        ("inverse_solicitation", 141, S::ForbiddenTypes, IcmpForbidden),
        ("inverse_advertisement", 142, S::ForbiddenTypes, IcmpForbidden),
        ("home_agent_request", 144, S::ForbiddenTypes, IcmpForbidden),
        ("mobile_prefix_advertisement", 147, S::ForbiddenTypes, IcmpForbidden),
        ("certification_path_solicitation", 148, S::ForbiddenTypes, IcmpForbidden),
        ("certification_path_advertisement", 149, S::ForbiddenTypes, IcmpForbidden),
        ("seamoby", 150, S::ForbiddenTypes, IcmpForbidden),
        ("multicast_router_advertisement", 151, S::ForbiddenTypes, IcmpForbidden),
        ("multicast_router_termination", 153, S::ForbiddenTypes, IcmpForbidden),
        ("fast_handover", 154, S::ForbiddenTypes, IcmpForbidden),
        ("rpl", 155, S::ForbiddenTypes, IcmpForbidden),
        ("locator_update", 156, S::OtherTypes, IcmpNeedsRule),
        ("duplicate_address_request", 157, S::OtherTypes, IcmpNeedsRule),
        ("extended_echo", 160, S::OtherTypes, IcmpNeedsRule),
        ("unassigned_199", 199, S::OtherTypes, IcmpNeedsRule),
        ("private_200", 200, S::OtherTypes, IcmpNeedsRule),
        ("private_201", 201, S::OtherTypes, IcmpNeedsRule),
        ("expansion_255", 255, S::OtherTypes, IcmpNeedsRule),
    ] {
        for (scope, (from, to)) in [("link", local), ("global", global)] {
            let packet = Ipv6::new(from, to, icmpv6::message(kind, 0, &[0; 36])).hops(255);
            cases.push(Case::new(direction, format!("icmp_{name}_{scope}_{way}"), section, packet, reason));
        }
    }
    cases
}
