//! What the stacks of real guests send and receive. What they do that the guard does not allow is here too: it is dropped
//! with a reason that says so.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction::{FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::extension::{authentication, router_alert};
use crate::frame::icmpv6::{echo_reply, echo_request, error, mld1, mld2_query, mld2_report};
use crate::frame::nd::{self, nonce, slla, tlla};
use crate::frame::{Ethernet, Ipv6, Upper, dhcpv6, ipv4, raw, tcp, udp};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    [linux(), windows(), bsd(), servers(), network()].concat()
}

fn discovery(from: Ipv6Addr, to: Ipv6Addr, upper: Upper) -> Ipv6 {
    Ipv6::new(from, to, upper).hops(255)
}

fn listener(from: Ipv6Addr, to: Ipv6Addr, upper: Upper) -> Ipv6 {
    Ipv6::new(from, to, upper).hops(1).ext(router_alert())
}

/// A boot with SLAAC: joins its groups, probes its addresses, asks for routers, resolves the router, talks.
fn linux() -> Vec<Case> {
    let boot = from_vm("linux_boots", S::Rules, listener(UNSPECIFIED, MLD2_ROUTERS, mld2_report(&[VM_SOLICITED])), Mld)
        .then(discovery(UNSPECIFIED, VM_SOLICITED, nd::ns(VM_LINK_LOCAL, &[nonce()])), NeighbourSolicitation)
        .then(listener(VM_LINK_LOCAL, MLD2_ROUTERS, mld2_report(&[VM_SOLICITED])), Mld)
        .then(discovery(VM_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[slla(VM_MAC)])), RouterSolicitation)
        .then(discovery(UNSPECIFIED, VM_SOLICITED, nd::ns(VM, &[nonce()])), NeighbourSolicitation)
        .then(Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(1)).hops(1), Dhcpv6)
        .then(discovery(VM, ROUTER_LINK_LOCAL, nd::ns(ROUTER_LINK_LOCAL, &[slla(VM_MAC)])), NeighbourSolicitation)
        .then(discovery(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, nd::na(VM_LINK_LOCAL, &[])), NeighbourAdvertisement)
        .then(Ipv6::new(VM, STRANGER, tcp(40000, 443, 2)), Traffic)
        .then(ipv4::arp(FromVm), Arp)
        .then(ipv4::ping(FromVm), Ipv4);
    let answers = to_vm(
        "linux_boot_is_answered",
        S::Rules,
        discovery(ROUTER_LINK_LOCAL, ALL_NODES, nd::ra(&[slla(ROUTER_MAC), nd::prefix(VM)])),
        RouterAdvertisement,
    )
    .then(Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, dhcpv6::server(2)), Dhcpv6)
    .then(discovery(ROUTER_LINK_LOCAL, VM, nd::na(ROUTER_LINK_LOCAL, &[tlla(ROUTER_MAC)])), NeighbourAdvertisement)
    .then(discovery(ROUTER_LINK_LOCAL, VM_SOLICITED, nd::ns(VM, &[slla(ROUTER_MAC)])), NeighbourSolicitation)
    .then(Ipv6::new(STRANGER, VM, tcp(443, 40000, 0x12)), Traffic)
    .then(listener(ROUTER_LINK_LOCAL, ALL_NODES, mld2_query(UNSPECIFIED)), Mld)
    .then(ipv4::arp(ToVm), Arp);
    let traceroute = Ipv6::new(VM, STRANGER, udp(40000, 33434, &[0x40; 32])).hops(1);
    let mut datagram =
        Ipv6::new(VM, STRANGER, udp(2049, 997, &[0x55; 4096])).fragments(0xbead, &[1448, 1448]).into_iter();
    let mut next = || datagram.next().expect("three fragments");
    let nfs = from_vm("linux_big_udp", S::Fragments, next(), Traffic).then(next(), Fragment).then(next(), Fragment);
    vec![
        boot,
        answers,
        nfs,
        from_vm("linux_traceroute", S::Rules, traceroute.clone(), Traffic),
        to_vm("linux_traceroute_is_answered", S::Errors, Ipv6::new(ROUTER, VM, error(3, 0, &traceroute)), IcmpError),
        from_vm(
            "linux_refuses_udp",
            S::Errors,
            Ipv6::new(VM, STRANGER, error(1, 4, &Ipv6::new(STRANGER, VM, udp(1, 9, &[])))),
            IcmpError,
        ),
        from_vm("linux_leaves_group", S::Mld, listener(VM_LINK_LOCAL, MLD2_ROUTERS, mld2_report(&[WIDE_GROUP])), Mld),
        from_vm(
            "linux_announces_after_migration",
            S::NeighbourAdvertisement,
            discovery(VM, ALL_NODES, nd::unsolicited_na(VM, &[tlla(VM_MAC)])),
            NeighbourAdvertisement,
        ),
        from_vm(
            "linux_resolved_mdns",
            S::LinkLocal,
            Ipv6::new(VM_LINK_LOCAL, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb), udp(5353, 5353, &[0; 12]))
                .hops(255),
            LinkLocalTraffic,
        ),
        from_vm(
            "linux_lldpd",
            S::Layer2Type,
            Ethernet::new(FromVm, 0x88cc, vec![2, 7, 4, 6, 0x7a, 0x88, 0, 0, 0x8b]),
            EtherType,
        ),
        from_vm(
            "linux_networkmanager_privacy",
            S::Source,
            Ipv6::new(VM_PRIVACY, STRANGER, tcp(40000, 443, 2)),
            SourcePrivacy,
        ),
    ]
}

fn windows() -> Vec<Case> {
    let of =
        |name: &str, section, packet: Ipv6, reason: Reason| from_vm(format!("windows_{name}"), section, packet, reason);
    let random = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x9d3f, 0x41ac, 0x07b2, 0x66e1);
    let random_group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xffb2, 0x66e1);
    vec![
        of(
            "dad_without_nonce",
            S::NeighbourSolicitation,
            discovery(UNSPECIFIED, VM_SOLICITED, nd::ns(VM_LINK_LOCAL, &[])),
            NeighbourSolicitation,
        ),
        of(
            "rs",
            S::RouterSolicitation,
            discovery(VM_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[slla(VM_MAC)])),
            RouterSolicitation,
        ),
        of(
            "mld",
            S::Mld,
            listener(VM_LINK_LOCAL, MLD2_ROUTERS, mld2_report(&[Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 3)])),
            Mld,
        ),
        of(
            "dhcpv6_information_request",
            S::Dhcpv6Client,
            Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(11)).hops(1),
            Dhcpv6,
        ),
        of(
            "dhcpv6_solicit_hops_128",
            S::Dhcpv6Client,
            Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(1)).hops(128),
            Dhcpv6,
        ),
        of("tcp_hops_128", S::Rules, Ipv6::new(VM, STRANGER, tcp(49152, 443, 0xc2)).hops(128), Traffic),
        of("tracert", S::Echo, Ipv6::new(VM, STRANGER, echo_request()).hops(1), Echo),
        of(
            "llmnr",
            S::LinkLocal,
            Ipv6::new(VM_LINK_LOCAL, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 3), udp(60000, 5355, &[0; 20])).hops(1),
            LinkLocalTraffic,
        ),
        of(
            "ws_discovery",
            S::LinkLocal,
            Ipv6::new(
                VM_LINK_LOCAL,
                Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc),
                udp(60000, 3702, b"<soap:Envelope/>"),
            )
            .hops(1),
            LinkLocalTraffic,
        ),
        of(
            "random_identifier_dad",
            S::NeighbourSolicitation,
            discovery(UNSPECIFIED, random_group, nd::ns(random, &[])),
            DadForeign,
        ),
        of("random_identifier_rs", S::Source, discovery(random, ALL_ROUTERS, nd::rs(&[slla(VM_MAC)])), SourcePrivacy),
        of(
            "random_identifier_mld",
            S::Source,
            listener(random, MLD2_ROUTERS, mld2_report(&[random_group])),
            SourcePrivacy,
        ),
        of(
            "temporary_address",
            S::Source,
            Ipv6::new(VM_PRIVACY, STRANGER, tcp(49152, 443, 2)).hops(128),
            SourcePrivacy,
        ),
    ]
}

fn bsd() -> Vec<Case> {
    let of =
        |name: &str, section, packet: Ipv6, reason: Reason| from_vm(format!("bsd_{name}"), section, packet, reason);
    vec![
        of(
            "rtsol_before_an_address",
            S::RouterSolicitation,
            discovery(UNSPECIFIED, ALL_ROUTERS, nd::rs(&[])),
            RouterSolicitation,
        ),
        of(
            "rtsol",
            S::RouterSolicitation,
            discovery(VM_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[slla(VM_MAC)])),
            RouterSolicitation,
        ),
        of("mld1_before_an_address", S::Mld, listener(UNSPECIFIED, VM_SOLICITED, mld1(131, VM_SOLICITED)), Mld),
        of("mld1_report", S::Mld, listener(VM_LINK_LOCAL, VM_SOLICITED, mld1(131, VM_SOLICITED)), Mld),
        of("mld1_done", S::Mld, listener(VM_LINK_LOCAL, ALL_ROUTERS, mld1(132, VM_SOLICITED)), Mld),
        of(
            "dad_with_nonce",
            S::NeighbourSolicitation,
            discovery(UNSPECIFIED, VM_SOLICITED, nd::ns(VM, &[nonce()])),
            NeighbourSolicitation,
        ),
        of(
            "nud",
            S::NeighbourSolicitation,
            discovery(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, nd::ns(ROUTER_LINK_LOCAL, &[slla(VM_MAC)])),
            NeighbourSolicitation,
        ),
        of(
            "na_on_address_change",
            S::NeighbourAdvertisement,
            discovery(VM, ALL_NODES, nd::unsolicited_na(VM, &[tlla(VM_MAC)])),
            NeighbourAdvertisement,
        ),
        of("traceroute6", S::Rules, Ipv6::new(VM, STRANGER, udp(33000, 33435, &[0; 12])).hops(2), Traffic),
        of("ping6", S::Echo, Ipv6::new(VM, STRANGER, echo_request()), Echo),
        of(
            "node_information_of_ping6_w",
            S::ForbiddenTypes,
            Ipv6::new(VM, STRANGER, crate::frame::icmpv6::message(139, 0, &[0; 28])),
            IcmpForbidden,
        ),
        of(
            "carp",
            S::LinkLocal,
            Ipv6::new(VM_LINK_LOCAL, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12), raw(112, vec![0x21; 36])).hops(255),
            LinkLocalTraffic,
        ),
        of("openbsd_random_identifier", S::Source, Ipv6::new(VM_PRIVACY, STRANGER, echo_request()), SourcePrivacy),
    ]
}

/// Guests that serve, route and encrypt.
fn servers() -> Vec<Case> {
    let out = |name: &str, section, packet: Ipv6, reason: Reason| {
        from_vm(format!("server_{name}_out"), section, packet, reason)
    };
    let back =
        |name: &str, section, packet: Ipv6, reason: Reason| to_vm(format!("server_{name}_in"), section, packet, reason);
    vec![
        out("dns", S::Rules, Ipv6::new(VM, STRANGER, udp(53, 40000, &[0; 512])), Traffic),
        out("ike", S::Rules, Ipv6::new(VM, STRANGER, udp(500, 500, &[0; 200])), Traffic),
        out("nat_traversal", S::Rules, Ipv6::new(VM, STRANGER, udp(4500, 4500, &[0; 120])), Traffic),
        out("ipsec_esp", S::ExtensionHeaders, Ipv6::new(VM, STRANGER, raw(50, vec![0xd1; 132])), Traffic),
        out(
            "ipsec_ah_tcp",
            S::ExtensionHeaders,
            Ipv6::new(VM, STRANGER, tcp(40000, 179, 2)).ext(authentication(12)),
            Traffic,
        ),
        out("wireguard", S::Rules, Ipv6::new(VM, STRANGER, udp(51820, 51820, &[1; 148])), Traffic),
        out("bgp", S::Rules, Ipv6::new(VM, STRANGER, tcp(40000, 179, 2)).hops(1), Traffic),
        out("reset", S::Rules, Ipv6::new(VM, STRANGER, tcp(443, 40000, 0x14)), Traffic),
        out("echo_reply", S::Echo, Ipv6::new(VM, STRANGER, echo_reply()), Echo),
        from_vm(
            "server_container_in_delegated_out",
            S::Rules,
            Ipv6::new(DELEGATED_LAST, STRANGER, tcp(40000, 443, 2)).hops(63),
            Traffic,
        )
        .on(Ports::Delegated),
        to_vm(
            "server_container_in_delegated_in",
            S::Rules,
            Ipv6::new(STRANGER, DELEGATED_FIRST, tcp(40000, 80, 2)),
            Traffic,
        )
        .on(Ports::Delegated),
        from_vm(
            "server_time_exceeded_for_container",
            S::Errors,
            Ipv6::new(VM, STRANGER, error(3, 0, &Ipv6::new(STRANGER, DELEGATED_LAST, udp(1, 33434, &[])))),
            IcmpError,
        )
        .on(Ports::Delegated),
        back("https", S::Rules, Ipv6::new(STRANGER, VM, tcp(40000, 443, 2)), Traffic),
        back("ipsec_esp", S::ExtensionHeaders, Ipv6::new(STRANGER, VM, raw(50, vec![0xd1; 132])), Traffic),
        back(
            "too_big_for_esp",
            S::Errors,
            Ipv6::new(ROUTER, VM, error(2, 0, &Ipv6::new(VM, STRANGER, raw(50, vec![0xd1; 1400])))),
            IcmpError,
        ),
        back("ping", S::Echo, Ipv6::new(STRANGER, VM, echo_request()), Echo),
        back(
            "first_container_scan",
            S::Destination,
            Ipv6::new(STRANGER, DELEGATED_BEFORE, tcp(40000, 80, 2)),
            NotForThisVm,
        )
        .on(Ports::Delegated),
    ]
}

/// What switches and neighbours flood to every port.
fn network() -> Vec<Case> {
    let of =
        |name: &str, section, packet: Ipv6, reason: Reason| to_vm(format!("flooded_{name}"), section, packet, reason);
    let bridges = ipv6_sg_common::mac::Mac { octets: [0x01, 0x80, 0xc2, 0, 0, 0] };
    vec![
        of(
            "ns_for_neighbour",
            S::NeighbourSolicitation,
            discovery(ROUTER, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[slla(ROUTER_MAC)])),
            NeighbourSolicitation,
        ),
        of(
            "dad_of_neighbour",
            S::NeighbourSolicitation,
            discovery(UNSPECIFIED, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[nonce()])),
            NeighbourSolicitation,
        ),
        of(
            "mld_of_neighbour",
            S::Mld,
            listener(NEIGHBOUR_LINK_LOCAL, MLD2_ROUTERS, mld2_report(&[NEIGHBOUR_SOLICITED])),
            Mld,
        ),
        of(
            "rs_of_neighbour",
            S::RouterSolicitation,
            discovery(NEIGHBOUR_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[slla(NEIGHBOUR_MAC)])),
            RsToVm,
        ),
        of(
            "solicit_of_neighbour",
            S::Dhcpv6Client,
            Ipv6::new(NEIGHBOUR_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(1)).hops(1),
            LinkLocalTraffic,
        ),
        of("unicast_of_neighbour", S::Destination, Ipv6::new(STRANGER, NEIGHBOUR, tcp(1, 2, 2)), NotForThisVm),
        to_vm("flooded_lldp", S::Layer2Type, Ethernet::new(ToVm, 0x88cc, vec![0; 46]).to(bridges), EtherType),
        to_vm(
            "flooded_spanning_tree",
            S::Layer2Type,
            Ethernet::new(ToVm, 0, vec![0; 35]).to(bridges).length_typed(&[0x42, 0x42, 3]),
            LengthTyped,
        ),
    ]
}
