//! Layer 2: whose MAC, no tags, and only types that are looked into.

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::mac::Mac;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::{Ethernet, IPV6, Ipv6, OLD_VLAN, SERVICE_VLAN, VLAN, icmpv6, ipv4, nd, tcp};
use crate::world::*;

const BROADCAST: Mac = Mac { octets: [0xff; 6] };
/// Where bridges talk to each other, LLDP and EAPOL among it.
const BRIDGES: Mac = Mac { octets: [0x01, 0x80, 0xc2, 0, 0, 0x0e] };

pub(super) fn cases() -> Vec<Case> {
    let mut cases = [macs_out(), macs_in()].concat();
    for direction in Direction::ALL {
        cases.extend(tags(direction));
        cases.extend(types(direction));
    }
    cases
}

/// TCP that passes in this direction.
fn honest(direction: Direction) -> Ethernet {
    match direction {
        FromVm => Ipv6::new(VM, STRANGER, tcp(40000, 443, 2)).ethernet(direction),
        ToVm => Ipv6::new(STRANGER, VM, tcp(443, 40000, 0x12)).ethernet(direction),
    }
}

fn macs_out() -> Vec<Case> {
    let with = |octets| honest(FromVm).from(Mac { octets });
    let mac = |name: &str, packet, reason| from_vm(format!("mac_out_{name}"), S::Layer2Address, packet, reason);
    vec![
        mac("own", honest(FromVm), Traffic),
        mac("neighbours", honest(FromVm).from(NEIGHBOUR_MAC), MacSpoofed),
        mac("routers", honest(FromVm).from(ROUTER_MAC), MacSpoofed),
        mac("last_bit_differs", with([0x06, 0x7a, 0x88, 0, 0, 0x8a]), MacSpoofed),
        mac("first_bit_differs", with([0x86, 0x7a, 0x88, 0, 0, 0x8b]), MacSpoofed),
        mac("own_as_group", with([0x07, 0x7a, 0x88, 0, 0, 0x8b]), MacSpoofed),
        mac("broadcast", with([0xff; 6]), MacSpoofed),
        mac("zero", with([0; 6]), MacSpoofed),
        mac("ipv6_group", with([0x33, 0x33, 0, 0, 0, 1]), MacSpoofed),
        mac("arp_with_foreign", ipv4::arp(FromVm).from(NEIGHBOUR_MAC), MacSpoofed),
        mac("ipv4_with_foreign", ipv4::ping(FromVm).from(NEIGHBOUR_MAC), MacSpoofed),
        mac("lldp_with_foreign", Ethernet::new(FromVm, 0x88cc, vec![0; 46]).from(NEIGHBOUR_MAC), MacSpoofed),
        mac("tagged_with_foreign", honest(FromVm).from(NEIGHBOUR_MAC).tag(VLAN, 0), MacSpoofed),
        mac("to_any_destination", honest(FromVm).to(NEIGHBOUR_MAC), Traffic),
        mac("to_broadcast", honest(FromVm).to(BROADCAST), Traffic),
        mac("to_itself", honest(FromVm).to(VM_MAC), Traffic),
    ]
}

fn macs_in() -> Vec<Case> {
    let all_nodes = Ipv6::new(ROUTER_LINK_LOCAL, ALL_NODES, nd::ra(&[])).hops(255);
    let mac = |name: &str, packet, reason| to_vm(format!("mac_in_{name}"), S::Layer2Address, packet, reason);
    vec![
        mac("own", honest(ToVm), Traffic),
        mac("group", all_nodes.ethernet(ToVm), RouterAdvertisement),
        mac("broadcast", all_nodes.ethernet(ToVm).to(BROADCAST), RouterAdvertisement),
        mac("group_to_unicast", all_nodes.to(VM_LINK_LOCAL).ethernet(ToVm).to(BROADCAST), RouterAdvertisement),
        mac("neighbours", honest(ToVm).to(NEIGHBOUR_MAC), NotForThisMac),
        mac("last_bit_differs", honest(ToVm).to(Mac { octets: [0x06, 0x7a, 0x88, 0, 0, 0x8a] }), NotForThisMac),
        mac("zero", honest(ToVm).to(Mac { octets: [0; 6] }), NotForThisMac),
        mac("ipv4_for_another", ipv4::ping(ToVm).to(NEIGHBOUR_MAC), NotForThisMac),
        mac("flooded_tagged_for_another", honest(ToVm).to(NEIGHBOUR_MAC).tag(VLAN, 7), NotForThisMac),
        mac("arp_broadcast", ipv4::arp(ToVm), Arp),
    ]
}

fn tags(direction: Direction) -> Vec<Case> {
    let way = direction.name();
    let frame = || honest(direction);
    let rogue = Ipv6::new(NEIGHBOUR_LINK_LOCAL, ALL_NODES, nd::ra(&[])).hops(255).ethernet(direction);
    let tag = |name: &str, packet: Ethernet| {
        Case::new(direction, format!("tag_{name}_{way}"), S::Layer2Tags, packet, VlanTagged)
    };
    vec![
        Case::new(direction, format!("tag_none_{way}"), S::Layer2Tags, frame(), Traffic),
        tag("priority_only", frame().tag(VLAN, 0)),
        tag("priority_seven", frame().tag(VLAN, 7 << 13)),
        tag("vlan_1", frame().tag(VLAN, 1)),
        tag("vlan_4095", frame().tag(VLAN, 4095)),
        tag("service", frame().tag(SERVICE_VLAN, 100)),
        tag("old", frame().tag(OLD_VLAN, 100)),
        tag("stacked", frame().tag(SERVICE_VLAN, 100).tag(VLAN, 200)),
        tag("stacked_zeros", frame().tag(VLAN, 0).tag(VLAN, 0)),
        tag("three", frame().tag(OLD_VLAN, 1).tag(SERVICE_VLAN, 2).tag(VLAN, 3)),
        tag("beside", frame().tag_beside()),
        tag("beside_and_inside", frame().tag_beside().tag(VLAN, 0)),
        tag("arp", ipv4::arp(direction).tag(VLAN, 5)),
        tag("arp_beside", ipv4::arp(direction).tag_beside()),
        tag("ipv4", ipv4::ping(direction).tag(VLAN, 5)),
        tag("rogue_ra", rogue.clone().tag(VLAN, 0)),
        tag("llc_inside", rogue.tag(VLAN, 0).length_typed(&SNAP)),
    ]
}

/// The header that carries an EtherType behind a length: LLC with SNAP.
const SNAP: [u8; 8] = [0xaa, 0xaa, 0x03, 0, 0, 0, 0x86, 0xdd];

fn types(direction: Direction) -> Vec<Case> {
    let way = direction.name();
    let frame = || honest(direction);
    let rogue = Ipv6::new(NEIGHBOUR_LINK_LOCAL, ALL_NODES, nd::ra(&[])).hops(255).ethernet(direction);
    let of = |name: &str, packet: Ethernet, reason: Reason| {
        Case::new(direction, format!("type_{name}_{way}"), S::Layer2Type, packet, reason)
    };
    let typed = |name: &str, kind: u16| of(name, Ethernet::new(direction, kind, vec![0; 46]).to(BRIDGES), EtherType);
    let inside = Ipv6::new(STRANGER, VM, icmpv6::echo_request());
    let mut cases = vec![
        of("ipv6", frame().kind(IPV6), Traffic),
        of("ipv4", ipv4::ping(direction), Ipv4),
        of("arp", ipv4::arp(direction), Arp),
        of("six_in_four_is_ipv4", ipv4::six_in_four(direction, &inside), Ipv4),
        of("ipv6_called_ipv4", frame().kind(0x0800), Ipv4),
        of("snap", frame().length_typed(&SNAP), LengthTyped),
        of("snap_rogue_ra", rogue.clone().length_typed(&SNAP), LengthTyped),
        of("snap_bridge_tunnel", rogue.length_typed(&[0xaa, 0xaa, 0x03, 0, 0, 0xf8, 0x86, 0xdd]), LengthTyped),
        of("spanning_tree", frame().to(BRIDGES).length_typed(&[0x42, 0x42, 0x03]), LengthTyped),
        of("length_zero", frame().kind(0), LengthTyped),
        of("length_1500", frame().kind(1500), LengthTyped),
        of("length_05ff", frame().kind(0x05ff), LengthTyped),
        of("first_0600", frame().kind(0x0600), EtherType),
        of("one_below_ipv6", frame().kind(0x86dc), EtherType),
        of("swapped_ipv6", frame().kind(0xdd86), EtherType),
        of("last_ffff", frame().kind(0xffff), EtherType),
    ];
    for (name, kind) in [
        ("lldp", 0x88cc),
        ("eapol", 0x888e),
        ("rarp", 0x8035),
        ("mpls", 0x8847),
        ("mpls_multicast", 0x8848),
        ("pppoe_discovery", 0x8863),
        ("pppoe_session", 0x8864),
        ("macsec", 0x88e5),
        ("provider_backbone", 0x88e7),
        ("ptp", 0x88f7),
        ("jumbo_llc", 0x8870),
        ("loopback_test", 0x9000),
        ("vlan_9200", 0x9200),
        ("batman", 0x4305),
        ("trill", 0x22f3),
        ("nsh", 0x894f),
        ("wake_on_lan", 0x0842),
    ] {
        cases.push(typed(name, kind));
    }
    for length in [0, 5, 6, 12, 13] {
        let name = format!("runt_of_{length}_{way}");
        cases.push(Case::new(direction, name, S::Layer2Type, frame().cut(length), FrameTruncated));
    }
    let arp = ipv4::arp(direction).cut(14);
    cases.push(Case::new(direction, format!("runt_arp_of_14_{way}"), S::Layer2Type, arp, Arp));
    cases
}
