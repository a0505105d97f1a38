//! Neighbour discovery from the VM.

use std::net::Ipv6Addr;

use ipv6_sg_common::address::Address;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm};
use crate::frame::nd::{self, nonce, slla, tlla};
use crate::frame::{Ipv6, Upper};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    [router_solicitations(), never(), solicitations(), duplicates(), advertisements()].concat()
}

fn discovery(from: Ipv6Addr, to: Ipv6Addr, upper: Upper) -> Ipv6 {
    Ipv6::new(from, to, upper).hops(255)
}

fn router_solicitations() -> Vec<Case> {
    let of = |name: &str, packet, reason: Reason| from_vm(format!("rs_{name}"), S::RouterSolicitation, packet, reason);
    let rs = |from, to, options: &[Vec<u8>]| discovery(from, to, nd::rs(options));
    let sound = || rs(VM_LINK_LOCAL, ALL_ROUTERS, &[slla(VM_MAC)]);
    let site_routers = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 2);
    vec![
        of("sound", sound(), RouterSolicitation),
        of("without_slla", rs(VM_LINK_LOCAL, ALL_ROUTERS, &[]), RouterSolicitation),
        of("from_nobody", rs(UNSPECIFIED, ALL_ROUTERS, &[]), RouterSolicitation),
        of("from_global", rs(VM, ALL_ROUTERS, &[slla(VM_MAC)]), RouterSolicitation),
        of("to_router", rs(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, &[slla(VM_MAC)]), RouterSolicitation),
        of("to_all_nodes", rs(VM_LINK_LOCAL, ALL_NODES, &[slla(VM_MAC)]), RsDestination),
        of("to_site_routers", rs(VM_LINK_LOCAL, site_routers, &[]), RsDestination),
        of("to_global_router", rs(VM, ROUTER, &[]), RsDestination),
        of("to_stranger", rs(VM, STRANGER, &[]), RsDestination),
        of("from_nobody_to_all_nodes", rs(UNSPECIFIED, ALL_NODES, &[]), RsDestination),
        of("hops_254", sound().hops(254), NdHopLimit),
        of("hops_64", sound().hops(64), NdHopLimit),
        of("hops_1", sound().hops(1), NdHopLimit),
        of("hops_0", sound().hops(0), NdHopLimit),
        of("code_1", sound().upper(nd::rs(&[]).code(1)), NdCode),
        of("foreign_slla", rs(VM_LINK_LOCAL, ALL_ROUTERS, &[slla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of(
            "second_slla_foreign",
            rs(VM_LINK_LOCAL, ALL_ROUTERS, &[slla(VM_MAC), slla(ROUTER_MAC)]),
            NdLinkLayerSpoofed,
        ),
        of("from_nobody_with_own_slla", rs(UNSPECIFIED, ALL_ROUTERS, &[slla(VM_MAC)]), NdLinkLayerUnspecified),
        of("from_nobody_with_foreign_slla", rs(UNSPECIFIED, ALL_ROUTERS, &[slla(ROUTER_MAC)]), NdLinkLayerUnspecified),
        of("from_neighbour", rs(NEIGHBOUR_LINK_LOCAL, ALL_ROUTERS, &[]), SourcePrivacy),
    ]
}

/// A VM neither advertises itself as a router nor sends anybody elsewhere.
fn never() -> Vec<Case> {
    let ra = |name: &str, packet| from_vm(format!("ra_from_vm_{name}"), S::RouterAdvertisement, packet, RaFromVm);
    let redirect =
        |name: &str, packet| from_vm(format!("redirect_from_vm_{name}"), S::Redirect, packet, RedirectFromVm);
    let rogue = || discovery(VM_LINK_LOCAL, ALL_NODES, nd::ra(&[slla(VM_MAC), nd::prefix(VM), nd::mtu(1280)]));
    let away =
        || discovery(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, nd::redirect(VM_LINK_LOCAL, STRANGER, &[tlla(VM_MAC)]));
    vec![
        ra("rogue", rogue()),
        ra("without_options", rogue().upper(nd::ra(&[]))),
        ra("from_global", rogue().from(VM)),
        ra("to_neighbour", rogue().to(NEIGHBOUR_LINK_LOCAL)),
        ra("to_wide_group", rogue().to(WIDE_GROUP)),
        ra("hops_64", rogue().hops(64)),
        ra("code_1", rogue().upper(nd::ra(&[]).code(1))),
        ra("malformed", rogue().upper(nd::ra(&[vec![3, 0, 0, 0, 0, 0, 0, 0]]))),
        from_vm("ra_from_vm_in_routers_name", S::RouterAdvertisement, rogue().from(ROUTER_LINK_LOCAL), SourcePrivacy),
        from_vm(
            "ra_from_vm_in_listed_routers_name",
            S::RouterAdvertisement,
            rogue().from(ROUTER_LINK_LOCAL),
            SourcePrivacy,
        )
        .on(Ports::Routers),
        redirect("to_itself", away()),
        redirect("from_global", away().from(VM)),
        redirect("hops_64", away().hops(64)),
        redirect("code_1", away().upper(nd::redirect(VM, STRANGER, &[]).code(1))),
        from_vm("redirect_from_vm_in_routers_name", S::Redirect, away().from(ROUTER_LINK_LOCAL), SourcePrivacy),
    ]
}

fn solicitations() -> Vec<Case> {
    let of =
        |name: &str, packet, reason: Reason| from_vm(format!("ns_{name}"), S::NeighbourSolicitation, packet, reason);
    let ns = |options: &[Vec<u8>]| discovery(VM, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, options));
    let own = || slla(VM_MAC);
    let group_target = nd::ns(NEIGHBOUR_SOLICITED, &[own()]);
    vec![
        of("sound", ns(&[own()]), NeighbourSolicitation),
        of("from_link_local", ns(&[own()]).from(VM_LINK_LOCAL), NeighbourSolicitation),
        of("probe_without_slla", ns(&[]).to(NEIGHBOUR), NeighbourSolicitation),
        of(
            "probe_of_router",
            discovery(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, nd::ns(ROUTER_LINK_LOCAL, &[own()])),
            NeighbourSolicitation,
        ),
        of("with_nonce", ns(&[own(), nonce()]), NeighbourSolicitation),
        of("slla_twice_the_same", ns(&[own(), own()]), NeighbourSolicitation),
        of("hops_254", ns(&[own()]).hops(254), NdHopLimit),
        of("hops_64", ns(&[own()]).hops(64), NdHopLimit),
        of("hops_1", ns(&[own()]).hops(1), NdHopLimit),
        of("code_1", ns(&[]).upper(nd::ns(NEIGHBOUR, &[own()]).code(1)), NdCode),
        of("code_255", ns(&[]).upper(nd::ns(NEIGHBOUR, &[own()]).code(255)), NdCode),
        of("target_group", ns(&[]).upper(group_target), NsTargetMulticast),
        of("target_all_nodes", ns(&[]).upper(nd::ns(ALL_NODES, &[own()])), NsTargetMulticast),
        of("foreign_slla", ns(&[slla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of("routers_slla", ns(&[slla(ROUTER_MAC)]), NdLinkLayerSpoofed),
        of("broadcast_slla", ns(&[nd::option(1, 1, &[0xff; 6])]), NdLinkLayerSpoofed),
        of("slla_last_bit_differs", ns(&[nd::option(1, 1, &[0x06, 0x7a, 0x88, 0, 0, 0x8a])]), NdLinkLayerSpoofed),
        of("second_slla_foreign", ns(&[own(), slla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of("first_slla_foreign", ns(&[slla(NEIGHBOUR_MAC), own()]), NdLinkLayerSpoofed),
        of("third_slla_foreign", ns(&[own(), own(), slla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of("foreign_slla_behind_nonce", ns(&[nonce(), slla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of("from_neighbour", ns(&[own()]).from(NEIGHBOUR), SourcePrivacy),
        of("from_router", ns(&[own()]).from(ROUTER_LINK_LOCAL), SourcePrivacy),
    ]
}

/// Duplicate address detection: only for one's own addresses, or a VM could squat a neighbour's.
fn duplicates() -> Vec<Case> {
    let of =
        |name: &str, packet, reason: Reason| from_vm(format!("dad_{name}"), S::NeighbourSolicitation, packet, reason);
    let dad = |target: Ipv6Addr, options: &[Vec<u8>]| {
        discovery(UNSPECIFIED, Address::from(target).solicited_node().to_ip(), nd::ns(target, options))
    };
    vec![
        of("own", dad(VM, &[]), NeighbourSolicitation),
        of("own_with_nonce", dad(VM, &[nonce()]), NeighbourSolicitation),
        of("own_link_local", dad(VM_LINK_LOCAL, &[nonce()]), NeighbourSolicitation),
        of("own_extra", dad(EXTRA, &[]), NeighbourSolicitation).on(Ports::Delegated),
        of("own_delegated", dad(DELEGATED_LAST, &[]), NeighbourSolicitation).on(Ports::Delegated),
        of("own_fourth", dad(VM_FOURTH, &[]), NeighbourSolicitation).on(Ports::Several),
        of("neighbours", dad(NEIGHBOUR, &[]), DadForeign),
        of("neighbours_link_local", dad(NEIGHBOUR_LINK_LOCAL, &[]), DadForeign),
        of("routers", dad(ROUTER_LINK_LOCAL, &[]), DadForeign),
        of("privacy", dad(VM_PRIVACY, &[nonce()]), DadForeign),
        of("extra_of_another_port", dad(EXTRA, &[]), DadForeign),
        of("delegated_after", dad(DELEGATED_AFTER, &[]), DadForeign).on(Ports::Delegated),
        // Ends like the VM's own address, so it goes to the same group.
        of("same_group_other_prefix", dad(VM_SECOND, &[]), DadForeign),
        of("unspecified_target", dad(UNSPECIFIED, &[]), DadForeign),
        of("group_target", dad(ALL_NODES, &[]), NsTargetMulticast),
        of("to_all_nodes", dad(VM, &[]).to(ALL_NODES), DadDestination),
        of("to_itself", dad(VM, &[]).to(VM), DadDestination),
        of("to_neighbour", dad(VM, &[]).to(NEIGHBOUR), DadDestination),
        of("to_neighbours_group", dad(VM, &[]).to(NEIGHBOUR_SOLICITED), DadDestination),
        of(
            "to_wider_solicited_group",
            dad(VM, &[]).to(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 1, 0xff00, 0x8b)),
            DadDestination,
        ),
        of("with_own_slla", dad(VM, &[slla(VM_MAC)]), NdLinkLayerUnspecified),
        of("with_foreign_slla", dad(VM, &[slla(NEIGHBOUR_MAC)]), NdLinkLayerUnspecified),
        of("with_slla_behind_nonce", dad(VM, &[nonce(), slla(VM_MAC)]), NdLinkLayerUnspecified),
        of("hops_64", dad(VM, &[]).hops(64), NdHopLimit),
        of("code_1", dad(VM, &[]).upper(nd::ns(VM, &[]).code(1)), NdCode),
    ]
}

fn advertisements() -> Vec<Case> {
    let of =
        |name: &str, packet, reason: Reason| from_vm(format!("na_{name}"), S::NeighbourAdvertisement, packet, reason);
    let na = |target, options: &[Vec<u8>]| discovery(VM, NEIGHBOUR, nd::na(target, options));
    let own = || tlla(VM_MAC);
    let announce = |target| discovery(VM_LINK_LOCAL, ALL_NODES, nd::unsolicited_na(target, &[tlla(VM_MAC)]));
    vec![
        of("sound", na(VM, &[own()]), NeighbourAdvertisement),
        of("without_tlla", na(VM, &[]), NeighbourAdvertisement),
        of("of_link_local", na(VM_LINK_LOCAL, &[own()]).from(VM_LINK_LOCAL), NeighbourAdvertisement),
        of("unsolicited", announce(VM), NeighbourAdvertisement),
        of("of_delegated", announce(DELEGATED_FIRST), NeighbourAdvertisement).on(Ports::Delegated),
        of("of_extra", announce(EXTRA), NeighbourAdvertisement).on(Ports::Delegated),
        of("tlla_twice_the_same", na(VM, &[own(), own()]), NeighbourAdvertisement),
        of("of_neighbour", na(NEIGHBOUR, &[own()]), NaForeign),
        of("of_neighbours_link_local", announce(NEIGHBOUR_LINK_LOCAL), NaForeign),
        of("of_router", announce(ROUTER_LINK_LOCAL), NaForeign),
        of("of_routers_global", announce(ROUTER), NaForeign),
        of("of_stranger", announce(STRANGER), NaForeign),
        of("of_privacy_address", announce(VM_PRIVACY), NaForeign),
        of("of_extra_of_another_port", announce(EXTRA), NaForeign),
        of("of_delegated_after", announce(DELEGATED_AFTER), NaForeign).on(Ports::Delegated),
        of("of_group", announce(VM_SOLICITED), NaForeign),
        of("of_unspecified", announce(UNSPECIFIED), NaForeign),
        of("of_neighbour_without_tlla", na(NEIGHBOUR, &[]), NaForeign),
        of("foreign_tlla", na(VM, &[tlla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of("broadcast_tlla", na(VM, &[nd::option(2, 1, &[0xff; 6])]), NdLinkLayerSpoofed),
        of("group_tlla", na(VM, &[nd::option(2, 1, &[0x33, 0x33, 0, 0, 0, 1])]), NdLinkLayerSpoofed),
        of("second_tlla_foreign", na(VM, &[own(), tlla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of("first_tlla_foreign", na(VM, &[tlla(NEIGHBOUR_MAC), own()]), NdLinkLayerSpoofed),
        of("foreign_tlla_behind_nonce", na(VM, &[nonce(), tlla(NEIGHBOUR_MAC)]), NdLinkLayerSpoofed),
        of("hops_254", na(VM, &[own()]).hops(254), NdHopLimit),
        of("hops_64", na(VM, &[own()]).hops(64), NdHopLimit),
        of("code_1", na(VM, &[]).upper(nd::na(VM, &[own()]).code(1)), NdCode),
        of("from_neighbour", na(VM, &[own()]).from(NEIGHBOUR), SourcePrivacy),
    ]
}
