//! Forbidden messages in disguise: behind every header that a receiver looks past (RFC 7113), and in tunnels.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S};
use crate::frame::extension::{atomic, authentication, destination, hop_by_hop, routing};
use crate::frame::nd::{self, slla, tlla};
use crate::frame::{Extension, Ipv6, dhcpv6, icmpv6, raw, tcp, udp};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = tunnels();
    let disguises: [(&str, Vec<Extension>); 7] = [
        ("hop_by_hop", vec![hop_by_hop(&[])]),
        ("options", vec![destination(&[])]),
        ("options_of_256", vec![destination(&[0; 254])]),
        ("ah", vec![authentication(12)]),
        ("ah_and_options", vec![hop_by_hop(&[]), authentication(16), destination(&[])]),
        ("route", vec![routing(2, 0)]),
        ("eight_options", vec![destination(&[]); 8]),
    ];
    for direction in Direction::ALL {
        let messages = match direction {
            Direction::FromVm => from_vm(),
            Direction::ToVm => to_vm(),
        };
        for Message { name, section, ports, packet, reason, discovery } in messages {
            let mut case = |disguise: &str, packet: Ipv6, reason| {
                let name = format!("evasion_{name}_behind_{disguise}_{}", direction.name());
                cases.push(Case::new(direction, name, section, packet, reason).on(ports));
            };
            for (disguise, extensions) in &disguises {
                case(disguise, extensions.iter().cloned().fold(packet.clone(), Ipv6::ext), reason);
            }
            // Which of two objections comes first is for the fragment cases; what has only one is here.
            if !discovery {
                case("atomic", packet.clone().ext(atomic()), reason);
                case("options_and_atomic", packet.clone().ext(destination(&[])).ext(atomic()), reason);
            }
        }
    }
    cases
}

struct Message {
    name: &'static str,
    section: S,
    ports: Ports,
    packet: Ipv6,
    reason: Reason,
    discovery: bool,
}

fn discovery(name: &'static str, section: S, packet: Ipv6, reason: Reason) -> Message {
    Message { name, section, ports: Ports::Plain, packet: packet.hops(255), reason, discovery: true }
}

fn other(name: &'static str, section: S, packet: Ipv6, reason: Reason) -> Message {
    Message { name, section, ports: Ports::Plain, packet, reason, discovery: false }
}

fn from_vm() -> Vec<Message> {
    let foreign = icmpv6::error(2, 0, &Ipv6::new(STRANGER, NEIGHBOUR, udp(1, 2, &[])));
    let ns = |mac| nd::ns(NEIGHBOUR, &[slla(mac)]);
    vec![
        discovery("ra", S::RouterAdvertisement, Ipv6::new(VM_LINK_LOCAL, ALL_NODES, nd::ra(&[])), RaFromVm),
        discovery(
            "redirect",
            S::Redirect,
            Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR, nd::redirect(VM, STRANGER, &[])),
            RedirectFromVm,
        ),
        discovery(
            "na_of_neighbour",
            S::NeighbourAdvertisement,
            Ipv6::new(VM, ALL_NODES, nd::na(NEIGHBOUR, &[tlla(VM_MAC)])),
            NaForeign,
        ),
        discovery(
            "na_of_neighbours_mac",
            S::NeighbourAdvertisement,
            Ipv6::new(VM, ALL_NODES, nd::na(VM, &[tlla(NEIGHBOUR_MAC)])),
            NdLinkLayerSpoofed,
        ),
        discovery(
            "ns_of_neighbours_mac",
            S::NeighbourSolicitation,
            Ipv6::new(VM, NEIGHBOUR_SOLICITED, ns(NEIGHBOUR_MAC)),
            NdLinkLayerSpoofed,
        ),
        discovery(
            "ns",
            S::NeighbourSolicitation,
            Ipv6::new(VM, NEIGHBOUR_SOLICITED, ns(VM_MAC)),
            NeighbourSolicitation,
        ),
        discovery(
            "dad_of_neighbour",
            S::NeighbourSolicitation,
            Ipv6::new(UNSPECIFIED, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[])),
            DadForeign,
        ),
        other(
            "mld_query",
            S::MldQuery,
            Ipv6::new(VM_LINK_LOCAL, ALL_NODES, icmpv6::mld2_query(UNSPECIFIED)).hops(1),
            MldQueryFromVm,
        ),
        other(
            "node_information",
            S::ForbiddenTypes,
            Ipv6::new(VM, STRANGER, icmpv6::message(139, 0, &[0; 12])),
            IcmpForbidden,
        ),
        other(
            "unassigned_type",
            S::OtherTypes,
            Ipv6::new(VM, STRANGER, icmpv6::message(99, 0, &[0; 12])),
            IcmpNeedsRule,
        ),
        other(
            "dhcpv6_server",
            S::Dhcpv6Server,
            Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, dhcpv6::server(7)),
            Dhcpv6ServerFromVm,
        ),
        other("foreign_error", S::Errors, Ipv6::new(VM, STRANGER, foreign), ErrorForeign),
        other("spoofed_tcp", S::Source, Ipv6::new(STRANGER, ROUTER, tcp(1, 2, 2)), SourceSpoofed),
        other(
            "link_local_tcp",
            S::LinkLocal,
            Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, tcp(1, 2, 2)),
            LinkLocalTraffic,
        ),
        other("icmpv4", S::UpperHeader, Ipv6::new(VM, STRANGER, raw(1, vec![8, 0, 0, 0, 0, 0, 0, 0])), Icmpv4),
    ]
}

fn to_vm() -> Vec<Message> {
    let foreign = icmpv6::error(2, 0, &Ipv6::new(STRANGER, NEIGHBOUR, udp(1, 2, &[])));
    let ra = |from| Ipv6::new(from, ALL_NODES, nd::ra(&[nd::prefix(VM)]));
    let listed = |message: Message| Message { ports: Ports::Routers, ..message };
    vec![
        discovery("ra", S::RouterAdvertisement, ra(ROUTER_LINK_LOCAL), RouterAdvertisement),
        discovery("ra_from_global", S::RouterAdvertisement, ra(STRANGER), RaSource),
        listed(discovery("ra_unlisted", S::RouterAdvertisement, ra(NEIGHBOUR_LINK_LOCAL), RaUnlisted)),
        listed(discovery(
            "redirect_unlisted",
            S::Redirect,
            Ipv6::new(NEIGHBOUR_LINK_LOCAL, VM, nd::redirect(NEIGHBOUR, NEIGHBOUR, &[])),
            RedirectUnlisted,
        )),
        discovery(
            "redirect_without_list",
            S::Redirect,
            Ipv6::new(ROUTER_LINK_LOCAL, VM, nd::redirect(NEIGHBOUR, NEIGHBOUR, &[])),
            RedirectUnlisted,
        ),
        discovery(
            "na_of_the_vm",
            S::NeighbourAdvertisement,
            Ipv6::new(NEIGHBOUR, ALL_NODES, nd::na(VM, &[tlla(NEIGHBOUR_MAC)])),
            NaAgainstVm,
        ),
        discovery(
            "dad_of_the_vm",
            S::NeighbourSolicitation,
            Ipv6::new(UNSPECIFIED, VM_SOLICITED, nd::ns(VM, &[])),
            DadAgainstVm,
        ),
        discovery("rs", S::RouterSolicitation, Ipv6::new(NEIGHBOUR_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[])), RsToVm),
        other(
            "remote_mld_query",
            S::MldQuery,
            Ipv6::new(ROUTER_LINK_LOCAL, ALL_NODES, icmpv6::mld2_query(UNSPECIFIED)),
            MldHopLimit,
        ),
        other(
            "node_information",
            S::ForbiddenTypes,
            Ipv6::new(STRANGER, VM, icmpv6::message(139, 0, &[0; 12])),
            IcmpForbidden,
        ),
        other("foreign_error", S::Errors, Ipv6::new(STRANGER, VM, foreign), ErrorForeign),
        other("remote_dhcpv6", S::Dhcpv6Server, Ipv6::new(STRANGER, VM, dhcpv6::server(7)), Dhcpv6NotServer),
        other(
            "link_local_tcp",
            S::LinkLocal,
            Ipv6::new(NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL, tcp(1, 2, 2)),
            LinkLocalTraffic,
        ),
    ]
}

/// A packet inside another is the outer packet's business; it may not travel link-local.
fn tunnels() -> Vec<Case> {
    let rogue = Ipv6::new(ROUTER_LINK_LOCAL, ALL_NODES, nd::ra(&[])).hops(255);
    let out = |name: &str, from, to, packet: &Ipv6, reason| {
        let packet = Ipv6::new(from, to, raw(41, packet.bytes()));
        Case::new(Direction::FromVm, format!("evasion_{name}"), S::LinkLocal, packet, reason)
    };
    vec![
        out("ra_in_ipv6_to_neighbours_link_local", VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, &rogue, LinkLocalTraffic),
        out("ra_in_ipv6_to_all_nodes", VM, ALL_NODES, &rogue, LinkLocalTraffic),
        out("ra_in_ipv6_beyond_the_link", VM, STRANGER, &rogue, Traffic),
        out("ra_in_spoofed_ipv6", ROUTER, STRANGER, &rogue, SourcePrivacy),
    ]
}
