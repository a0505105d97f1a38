//! Option lists: walked to the end, whatever stands in them.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::nd::{self, nonce, option, slla, tlla};
use crate::frame::{Ipv6, Upper};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    [either_way(), own_addresses(), each_message()].concat()
}

/// A solicitation with these options that is otherwise sound, from the VM or to it.
fn solicitation(direction: Direction, options: &[Vec<u8>]) -> Ipv6 {
    match direction {
        Direction::FromVm => Ipv6::new(VM, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, options)).hops(255),
        Direction::ToVm => Ipv6::new(NEIGHBOUR, VM_SOLICITED, nd::ns(VM, options)).hops(255),
    }
}

fn either_way() -> Vec<Case> {
    let mut cases = Vec::new();
    for direction in Direction::ALL {
        let mut of = |name: &str, options: &[Vec<u8>], reason: Reason| {
            let name = format!("options_{name}_{}", direction.name());
            cases.push(Case::new(direction, name, S::NdOptions, solicitation(direction, options), reason));
        };
        let none = || option(14, 0, &[0; 6]);
        let own = match direction {
            Direction::FromVm => slla(VM_MAC),
            Direction::ToVm => slla(NEIGHBOUR_MAC),
        };
        of("none", &[], NeighbourSolicitation);
        of("unknown_kind", &[option(253, 1, &[1; 6])], NeighbourSolicitation);
        of("kind_0", &[option(0, 1, &[0; 6])], NeighbourSolicitation);
        of("kind_255_of_2040_bytes", &[option(255, 255, &[7; 2038])], NeighbourSolicitation);
        of("later_kinds", &[nonce(), option(31, 2, &[0; 14]), option(38, 2, &[0; 14])], NeighbourSolicitation);
        of("own_behind_unknown", &[option(253, 3, &[1; 22]), own.clone()], NeighbourSolicitation);
        of("thirty_two", &vec![nonce(); 32], NeighbourSolicitation);
        of("thirty_three", &vec![nonce(); 33], NdOptions);
        of("hundred", &vec![nonce(); 100], NdOptions);
        of("length_0", &[none()], NdOptions);
        of("length_0_behind_own", &[own.clone(), none()], NdOptions);
        of("length_0_of_source_kind", &[option(1, 0, &[0; 6])], NdOptions);
        of("eight_zeros", &[vec![0; 8]], NdOptions);
        of("past_the_end_by_8", &[option(14, 2, &[0; 6])], NdOptions);
        of("past_the_end_by_2032", &[option(14, 255, &[0; 6])], NdOptions);
        of("past_the_end_behind_own", &[own.clone(), option(14, 2, &[0; 6])], NdOptions);
        of("one_byte", &[vec![1]], NdOptions);
        of("two_bytes", &[vec![1, 1]], NdOptions);
        of("seven_bytes", &[option(14, 1, &[0; 5])], NdOptions);
        of("one_byte_behind_own", &[own.clone(), vec![0]], NdOptions);
        of("seven_bytes_behind_own", &[own, vec![14, 1, 0, 0, 0, 0, 0]], NdOptions);
    }
    cases
}

/// Every link-layer address from the VM is its own MAC, at any place and in any disguise.
fn own_addresses() -> Vec<Case> {
    let out = |name: &str, options: &[Vec<u8>], reason: Reason| {
        from_vm(format!("options_{name}"), S::NdOptions, solicitation(Direction::FromVm, options), reason)
    };
    let many = |last: Vec<u8>| [vec![nonce(); 31], vec![last]].concat();
    let own = VM_MAC.octets;
    let padded = |length| option(1, length, &[&own[..], &vec![0; usize::from(length) * 8 - 8]].concat());
    let beyond = solicitation(Direction::FromVm, &[slla(NEIGHBOUR_MAC)]).payload_length(24);
    let half = solicitation(Direction::FromVm, &[slla(VM_MAC)]).payload_length(28);
    vec![
        out("foreign_as_32nd", &many(slla(NEIGHBOUR_MAC)), NdLinkLayerSpoofed),
        out("own_as_32nd", &many(slla(VM_MAC)), NeighbourSolicitation),
        out("foreign_behind_long_unknown", &[option(253, 32, &[9; 254]), slla(NEIGHBOUR_MAC)], NdLinkLayerSpoofed),
        // Longer than a MAC is not a MAC, though it begins like the VM's.
        out("own_of_16_bytes", &[padded(2)], NdLinkLayerSpoofed),
        out("own_of_24_bytes", &[padded(3)], NdLinkLayerSpoofed),
        // Looks like a foreign address, but lies inside another option.
        out(
            "foreign_inside_unknown",
            &[option(253, 2, &[&[0; 6][..], &slla(NEIGHBOUR_MAC)].concat())],
            NeighbourSolicitation,
        ),
        // A target address means nothing in a solicitation; an honest guest sends none, a foreign one is a lie.
        out("foreign_target_kind", &[tlla(NEIGHBOUR_MAC)], NdLinkLayerSpoofed),
        out("own_target_kind", &[tlla(VM_MAC)], NeighbourSolicitation),
        from_vm(
            "options_foreign_source_kind_in_na",
            S::NdOptions,
            advertisement(&[slla(NEIGHBOUR_MAC)]),
            NdLinkLayerSpoofed,
        ),
        from_vm("options_behind_the_payload", S::NdOptions, beyond, NeighbourSolicitation),
        from_vm("options_half_behind_the_payload", S::NdOptions, half, NdOptions),
        from_vm(
            "options_in_the_padding",
            S::NdOptions,
            solicitation(Direction::FromVm, &[]).ethernet(Direction::FromVm).pad(32),
            NeighbourSolicitation,
        ),
    ]
}

fn advertisement(options: &[Vec<u8>]) -> Ipv6 {
    Ipv6::new(VM, NEIGHBOUR, nd::na(VM, options)).hops(255)
}

fn each_message() -> Vec<Case> {
    let broken = || vec![slla(VM_MAC), vec![3, 0, 0, 0, 0, 0, 0, 0]];
    let out = |name: &str, from, to, upper: Upper| {
        from_vm(format!("options_broken_{name}_from_vm"), S::NdOptions, Ipv6::new(from, to, upper).hops(255), NdOptions)
    };
    let back = |name: &str, to, upper: Upper| {
        let packet = Ipv6::new(ROUTER_LINK_LOCAL, to, upper).hops(255);
        to_vm(format!("options_broken_{name}_to_vm"), S::NdOptions, packet, NdOptions).on(Ports::Routers)
    };
    let many_prefixes: Vec<_> = (0..33).map(|_| nd::prefix(VM)).collect();
    vec![
        out("rs", VM_LINK_LOCAL, ALL_ROUTERS, nd::rs(&broken())),
        out("na", VM, ALL_NODES, nd::na(VM, &broken())),
        out("dad", UNSPECIFIED, VM_SOLICITED, nd::ns(VM, &[vec![14, 0, 0, 0, 0, 0, 0, 0]])),
        back("ra", ALL_NODES, nd::ra(&broken())),
        back("ra_of_33_options", ALL_NODES, nd::ra(&many_prefixes)),
        back("ra_cut_within_prefix", ALL_NODES, nd::ra(&[nd::prefix(VM)[..24].to_vec()])),
        back("na", VM_LINK_LOCAL, nd::na(ROUTER_LINK_LOCAL, &broken())),
        back("redirect", VM, nd::redirect(NEIGHBOUR_LINK_LOCAL, NEIGHBOUR, &broken())),
    ]
}
