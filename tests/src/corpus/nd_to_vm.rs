//! Neighbour discovery to the VM: what nobody else may tell it.

use std::net::Ipv6Addr;

use ipv6_sg_common::address::Address;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, to_vm};
use crate::frame::nd::{self, nonce, slla, tlla};
use crate::frame::{Ipv6, Upper};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    [router_advertisements(), redirects(), solicitations(), advertisements()].concat()
}

fn discovery(from: Ipv6Addr, to: Ipv6Addr, upper: Upper) -> Ipv6 {
    Ipv6::new(from, to, upper).hops(255)
}

fn router_advertisements() -> Vec<Case> {
    let of = |name: &str, packet, reason: Reason| to_vm(format!("ra_{name}"), S::RouterAdvertisement, packet, reason);
    let full = || nd::ra(&[slla(ROUTER_MAC), nd::mtu(1500), nd::prefix(VM), nd::rdnss(ROUTER)]);
    let ra = || discovery(ROUTER_LINK_LOCAL, ALL_NODES, full());
    let listed = |name: &str, packet, reason| of(name, packet, reason).on(Ports::Routers);
    let rs = |name: &str, packet| to_vm(format!("rs_to_vm_{name}"), S::RouterSolicitation, packet, RsToVm);
    let solicit = || discovery(NEIGHBOUR_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[slla(NEIGHBOUR_MAC)]));
    vec![
        of("sound", ra(), RouterAdvertisement),
        of("to_the_vm_alone", ra().to(VM_LINK_LOCAL), RouterAdvertisement),
        of("from_anybody_unlisted_network", ra().from(NEIGHBOUR_LINK_LOCAL), RouterAdvertisement),
        of("without_options", ra().upper(nd::ra(&[])), RouterAdvertisement),
        of("from_global", ra().from(ROUTER), RaSource),
        of("from_stranger", ra().from(STRANGER), RaSource),
        of("from_site_local", ra().from(Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 1)), RaSource),
        of("in_the_vms_name", ra().from(VM_LINK_LOCAL), SourceIsThisVm),
        of("hops_254", ra().hops(254), NdHopLimit),
        of("hops_64", ra().hops(64), NdHopLimit),
        of("hops_1", ra().hops(1), NdHopLimit),
        of("hops_0", ra().hops(0), NdHopLimit),
        of("code_1", ra().upper(nd::ra(&[]).code(1)), NdCode),
        of("to_another_vm", ra().to(NEIGHBOUR_LINK_LOCAL), NotForThisVm),
        listed("listed", ra(), RouterAdvertisement),
        listed("unlisted", ra().from(NEIGHBOUR_LINK_LOCAL), RaUnlisted),
        listed("unlisted_last_bit", ra().from(Ipv6Addr::from_bits(ROUTER_LINK_LOCAL.to_bits() ^ 1)), RaUnlisted),
        listed(
            "unlisted_in_febf",
            ra().from(Ipv6Addr::from_bits(ROUTER_LINK_LOCAL.to_bits() | 0x3f << 112)),
            RaUnlisted,
        ),
        listed("listed_routers_global", ra().from(ROUTER), RaSource),
        listed("listed_hops_64", ra().hops(64), NdHopLimit),
        rs("sound", solicit()),
        rs("alone", solicit().to(VM_LINK_LOCAL)),
        rs("hops_64", solicit().hops(64)),
        rs("from_global", solicit().from(NEIGHBOUR)),
    ]
}

fn redirects() -> Vec<Case> {
    let of = |name: &str, packet, reason: Reason| {
        to_vm(format!("redirect_{name}"), S::Redirect, packet, reason).on(Ports::Routers)
    };
    let better = || nd::redirect(NEIGHBOUR_LINK_LOCAL, NEIGHBOUR, &[tlla(NEIGHBOUR_MAC)]);
    let redirect = || discovery(ROUTER_LINK_LOCAL, VM, better());
    vec![
        of("listed", redirect(), Redirect),
        of("listed_to_link_local", redirect().to(VM_LINK_LOCAL), Redirect),
        of("unlisted", redirect().from(NEIGHBOUR_LINK_LOCAL), RedirectUnlisted),
        of("from_global", redirect().from(ROUTER), RedirectSource),
        of("from_stranger", redirect().from(STRANGER), RedirectSource),
        of("hops_254", redirect().hops(254), NdHopLimit),
        of("hops_64", redirect().hops(64), NdHopLimit),
        of("code_1", redirect().upper(better().code(1)), NdCode),
        of("in_the_vms_name", redirect().from(VM_LINK_LOCAL), SourceIsThisVm),
        of("unlisted_network", redirect(), RedirectUnlisted).on(Ports::Plain),
    ]
}

fn solicitations() -> Vec<Case> {
    let of = |name: &str, packet, reason: Reason| {
        to_vm(format!("ns_to_vm_{name}"), S::NeighbourSolicitation, packet, reason)
    };
    let ns = || discovery(ROUTER_LINK_LOCAL, VM_SOLICITED, nd::ns(VM, &[slla(ROUTER_MAC)]));
    let dad = |target: Ipv6Addr| {
        discovery(UNSPECIFIED, Address::from(target).solicited_node().to_ip(), nd::ns(target, &[nonce()]))
    };
    vec![
        of("sound", ns(), NeighbourSolicitation),
        of("from_global", ns().from(NEIGHBOUR), NeighbourSolicitation),
        of("probe", discovery(ROUTER_LINK_LOCAL, VM, nd::ns(VM, &[])), NeighbourSolicitation),
        of(
            "flooded_for_neighbour",
            discovery(ROUTER_LINK_LOCAL, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[])),
            NeighbourSolicitation,
        ),
        of("hops_254", ns().hops(254), NdHopLimit),
        of("hops_64", ns().hops(64), NdHopLimit),
        of("code_1", ns().upper(nd::ns(VM, &[]).code(1)), NdCode),
        of("in_the_vms_name", ns().from(VM), SourceIsThisVm),
        of("dad_neighbours", dad(NEIGHBOUR), NeighbourSolicitation),
        of("dad_vms", dad(VM), DadAgainstVm),
        of("dad_vms_link_local", dad(VM_LINK_LOCAL), DadAgainstVm),
        of("dad_vms_to_all_nodes", dad(VM).to(ALL_NODES), DadAgainstVm),
        of("dad_vms_to_itself", dad(VM).to(VM), DadAgainstVm),
        of("dad_vms_fourth", dad(VM_FOURTH), DadAgainstVm).on(Ports::Several),
        of("dad_vms_extra", dad(EXTRA), DadAgainstVm).on(Ports::Delegated),
        of("dad_vms_delegated", dad(DELEGATED_LAST), DadAgainstVm).on(Ports::Delegated),
        of("dad_after_delegated", dad(DELEGATED_AFTER), NeighbourSolicitation).on(Ports::Delegated),
        of("dad_extra_of_another_port", dad(EXTRA), NeighbourSolicitation),
        of("dad_same_group_other_prefix", dad(VM_SECOND), NeighbourSolicitation),
        of("dad_hops_64", dad(VM).hops(64), NdHopLimit),
    ]
}

fn advertisements() -> Vec<Case> {
    let of = |name: &str, packet, reason: Reason| {
        to_vm(format!("na_to_vm_{name}"), S::NeighbourAdvertisement, packet, reason)
    };
    let na = |target| discovery(NEIGHBOUR, VM, nd::na(target, &[tlla(NEIGHBOUR_MAC)]));
    let announce =
        |target| discovery(NEIGHBOUR_LINK_LOCAL, ALL_NODES, nd::unsolicited_na(target, &[tlla(NEIGHBOUR_MAC)]));
    vec![
        of("sound", na(NEIGHBOUR), NeighbourAdvertisement),
        of(
            "of_router",
            discovery(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, nd::na(ROUTER_LINK_LOCAL, &[])),
            NeighbourAdvertisement,
        ),
        of("unsolicited", announce(NEIGHBOUR), NeighbourAdvertisement),
        of("of_extra_of_another_port", announce(EXTRA), NeighbourAdvertisement),
        of("of_privacy_address", announce(VM_PRIVACY), NeighbourAdvertisement),
        of("of_the_vm", na(VM), NaAgainstVm),
        of("of_the_vm_to_all_nodes", announce(VM), NaAgainstVm),
        of("of_the_vms_link_local", announce(VM_LINK_LOCAL), NaAgainstVm),
        of("of_the_vms_fourth", announce(VM_FOURTH), NaAgainstVm).on(Ports::Several),
        of("of_the_vms_extra", announce(EXTRA), NaAgainstVm).on(Ports::Delegated),
        of("of_the_vms_delegated", announce(DELEGATED_FIRST), NaAgainstVm).on(Ports::Delegated),
        of(
            "of_the_vm_with_its_own_mac",
            discovery(NEIGHBOUR_LINK_LOCAL, ALL_NODES, nd::na(VM, &[tlla(VM_MAC)])),
            NaAgainstVm,
        ),
        of("of_the_vm_from_router", announce(VM).from(ROUTER_LINK_LOCAL), NaAgainstVm).on(Ports::Routers),
        of("in_the_vms_name", announce(VM).from(VM_LINK_LOCAL), SourceIsThisVm),
        of("hops_254", na(NEIGHBOUR).hops(254), NdHopLimit),
        of("hops_64", na(NEIGHBOUR).hops(64), NdHopLimit),
        of("code_1", na(NEIGHBOUR).upper(nd::na(NEIGHBOUR, &[]).code(1)), NdCode),
    ]
}
