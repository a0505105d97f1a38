//! Sources and destinations.

use std::net::Ipv6Addr;

use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::{Ipv6, dhcpv6, icmpv6, nd, tcp, udp};
use crate::world::*;

fn ip(text: &str) -> Ipv6Addr {
    text.parse().expect("an address of the tests")
}

pub(super) fn cases() -> Vec<Case> {
    [sources_out(), nobody_out(), destinations_out(), destinations_in(), sources_in(), sets()].concat()
}

fn sources_out() -> Vec<Case> {
    let addresses: [(&str, &str, Reason); 27] = [
        ("own", "2001:db8:100:0:47a:88ff:fe00:8b", Traffic),
        ("privacy", "2001:db8:100:0:5c1f:9e02:77aa:3d41", SourcePrivacy),
        ("neighbour_in_the_same_64", "2001:db8:100:0:491:2aff:fe00:117", SourcePrivacy),
        ("router", "2001:db8:100:0:c:dbff:fef9:cf00", SourcePrivacy),
        ("own_with_last_bit_differing", "2001:db8:100:0:47a:88ff:fe00:8a", SourcePrivacy),
        ("own_without_inverted_bit", "2001:db8:100:0:67a:88ff:fe00:8b", SourcePrivacy),
        ("anycast_of_the_64", "2001:db8:100::", SourcePrivacy),
        ("own_in_the_next_64", "2001:db8:100:1:47a:88ff:fe00:8b", SourceSpoofed),
        ("own_with_first_bit_differing", "a001:db8:100:0:47a:88ff:fe00:8b", SourceSpoofed),
        ("stranger", "2a00:f10:121:b00:434:a0ff:fe00:1bc7", SourceSpoofed),
        ("link_local_of_neighbour", "fe80::491:2aff:fe00:117", SourcePrivacy),
        ("link_local_of_router", "fe80::c:dbff:fef9:cf00", SourcePrivacy),
        ("own_link_local_in_another_64", "fe80:0:0:1:47a:88ff:fe00:8b", SourceSpoofed),
        ("own_link_local_in_febf", "febf::47a:88ff:fe00:8b", SourceSpoofed),
        ("site_local", "fec0::47a:88ff:fe00:8b", SourceSpoofed),
        ("unique_local", "fd00::47a:88ff:fe00:8b", SourceSpoofed),
        ("loopback", "::1", SourceLoopback),
        ("one_past_loopback", "::2", SourceSpoofed),
        ("group_all_nodes", "ff02::1", SourceMulticast),
        ("group_wide", "ff0e::101", SourceMulticast),
        ("group_own_solicited", "ff02::1:ff00:8b", SourceMulticast),
        ("mapped", "::ffff:192.0.2.10", SourceSpoofed),
        ("compatible", "::192.0.2.10", SourceSpoofed),
        ("six_to_four", "2002:c000:20a::1", SourceSpoofed),
        ("teredo", "2001:0:c000:20a::1", SourceSpoofed),
        ("nat64", "64:ff9b::192.0.2.10", SourceSpoofed),
        ("discard", "100::1", SourceSpoofed),
    ];
    let mut cases = Vec::new();
    for (name, source, reason) in addresses {
        let packet = Ipv6::new(ip(source), STRANGER, tcp(40000, 443, 2));
        cases.push(from_vm(format!("source_{name}"), S::Source, packet, reason));
    }
    let ping = |from, to| Ipv6::new(from, to, icmpv6::echo_request());
    let solicit = |from| Ipv6::new(from, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[])).hops(255);
    cases.extend([
        from_vm("source_privacy_ping", S::Source, ping(VM_PRIVACY, STRANGER), SourcePrivacy),
        from_vm("source_spoofed_ns", S::Source, solicit(NEIGHBOUR_LINK_LOCAL), SourcePrivacy),
        from_vm("source_spoofed_and_bad_destination", S::Source, ping(STRANGER, UNSPECIFIED), SourceSpoofed),
        from_vm(
            "source_spoofed_error",
            S::Source,
            Ipv6::new(STRANGER, ROUTER, icmpv6::error(2, 0, &ping(ROUTER, VM))),
            SourceSpoofed,
        ),
        from_vm(
            "source_spoofed_dhcpv6",
            S::Source,
            Ipv6::new(NEIGHBOUR_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(8)),
            SourcePrivacy,
        ),
        from_vm("source_established_tcp", S::Source, Ipv6::new(STRANGER, ROUTER, tcp(443, 40000, 0x10)), SourceSpoofed),
    ]);
    cases
}

/// `::` is the source of what a node says before it has an address, and of nothing else.
fn nobody_out() -> Vec<Case> {
    let of = |name: &str, to, hops, upper, reason| {
        from_vm(format!("nobody_{name}_from_vm"), S::Source, Ipv6::new(UNSPECIFIED, to, upper).hops(hops), reason)
    };
    let quoted = Ipv6::new(STRANGER, VM, tcp(1, 2, 2));
    vec![
        of("dad", VM_SOLICITED, 255, nd::ns(VM, &[]), NeighbourSolicitation),
        of("rs", ALL_ROUTERS, 255, nd::rs(&[]), RouterSolicitation),
        of("mld_report", MLD2_ROUTERS, 1, icmpv6::mld2_report(&[VM_SOLICITED]), Mld),
        of("tcp", STRANGER, 64, tcp(1, 2, 2), SourceUnspecified),
        of("udp", STRANGER, 64, udp(1, 2, &[]), SourceUnspecified),
        of("dhcpv6_solicit", DHCP_AGENTS, 1, dhcpv6::client(1), SourceUnspecified),
        of("echo", ALL_NODES, 64, icmpv6::echo_request(), SourceUnspecified),
        of("error", STRANGER, 64, icmpv6::error(1, 0, &quoted), SourceUnspecified),
        of("na", ALL_NODES, 255, nd::na(VM, &[nd::tlla(VM_MAC)]), SourceUnspecified),
        of("ra", ALL_NODES, 255, nd::ra(&[]), SourceUnspecified),
        of("redirect", NEIGHBOUR, 255, nd::redirect(VM, STRANGER, &[]), SourceUnspecified),
        of("mld_query", ALL_NODES, 1, icmpv6::mld2_query(UNSPECIFIED), SourceUnspecified),
        of("unassigned_type", ALL_NODES, 64, icmpv6::message(99, 0, &[0; 4]), SourceUnspecified),
    ]
}

fn destinations_out() -> Vec<Case> {
    let addresses: [(&str, &str, Reason); 16] = [
        ("stranger", "2a00:f10:121:b00:434:a0ff:fe00:1bc7", Traffic),
        ("itself", "2001:db8:100:0:47a:88ff:fe00:8b", Traffic),
        ("unspecified", "::", DestinationUnspecified),
        ("loopback", "::1", DestinationLoopback),
        ("one_past_loopback", "::2", Traffic),
        ("reserved_scope", "ff00::1", DestinationReservedScope),
        ("reserved_scope_with_flags", "ff30::1", DestinationReservedScope),
        ("interface_group", "ff01::1", LinkLocalTraffic),
        ("link_group", "ff02::fb", LinkLocalTraffic),
        ("link_group_with_flags", "ff32::8000:1", LinkLocalTraffic),
        ("realm_group", "ff03::1", Traffic),
        ("site_group", "ff05::2", Traffic),
        ("global_group", "ff0e::101", Traffic),
        ("link_local", "fe80::491:2aff:fe00:117", LinkLocalTraffic),
        ("last_link_local", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", LinkLocalTraffic),
        ("site_local_is_not_link_local", "fec0::1", Traffic),
    ];
    addresses
        .into_iter()
        .map(|(name, to, reason)| {
            let packet = Ipv6::new(VM, ip(to), udp(40000, 9, &[]));
            from_vm(format!("destination_{name}_from_vm"), S::Destination, packet, reason)
        })
        .chain([
            from_vm(
                "destination_unspecified_dad",
                S::Destination,
                Ipv6::new(UNSPECIFIED, UNSPECIFIED, nd::ns(VM, &[])).hops(255),
                DestinationUnspecified,
            ),
            from_vm(
                "destination_loopback_ping",
                S::Destination,
                Ipv6::new(VM, Ipv6Addr::LOCALHOST, icmpv6::echo_request()),
                DestinationLoopback,
            ),
        ])
        .collect()
}

fn destinations_in() -> Vec<Case> {
    let addresses: [(&str, &str, Reason); 16] = [
        ("vm", "2001:db8:100:0:47a:88ff:fe00:8b", Traffic),
        ("privacy", "2001:db8:100:0:5c1f:9e02:77aa:3d41", NotForThisVm),
        ("neighbour", "2001:db8:100:0:491:2aff:fe00:117", NotForThisVm),
        ("anycast_of_the_64", "2001:db8:100::", NotForThisVm),
        ("stranger", "2a00:f10:121:b00:434:a0ff:fe00:1bc8", NotForThisVm),
        ("link_local_of_neighbour", "fe80::491:2aff:fe00:117", NotForThisVm),
        ("delegated_elsewhere", "2001:db8:f000:10::1", NotForThisVm),
        ("mapped", "::ffff:192.0.2.10", NotForThisVm),
        ("unspecified", "::", DestinationUnspecified),
        ("loopback", "::1", DestinationLoopback),
        ("reserved_scope", "ff00::1", DestinationReservedScope),
        ("interface_group", "ff01::1", LinkLocalTraffic),
        ("link_group", "ff02::1", LinkLocalTraffic),
        ("site_group", "ff05::2", Traffic),
        ("global_group", "ff0e::101", Traffic),
        ("link_local", "fe80::47a:88ff:fe00:8b", LinkLocalTraffic),
    ];
    addresses
        .into_iter()
        .map(|(name, to, reason)| {
            let packet = Ipv6::new(STRANGER, ip(to), udp(40000, 9, &[]));
            to_vm(format!("destination_{name}_to_vm"), S::Destination, packet, reason)
        })
        .chain([to_vm(
            "destination_neighbour_on_link",
            S::Destination,
            Ipv6::new(ROUTER_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, nd::ns(NEIGHBOUR_LINK_LOCAL, &[])).hops(255),
            NotForThisVm,
        )])
        .collect()
}

fn sources_in() -> Vec<Case> {
    let of = |name: &str, from, upper, reason| {
        to_vm(format!("source_{name}_to_vm"), S::Source, Ipv6::new(from, VM, upper), reason)
    };
    let nobody = |name: &str, to, hops, upper, reason| {
        to_vm(format!("nobody_{name}_to_vm"), S::Source, Ipv6::new(UNSPECIFIED, to, upper).hops(hops), reason)
    };
    let segment = || tcp(443, 40000, 2);
    vec![
        of("stranger", STRANGER, segment(), Traffic),
        of("neighbour", NEIGHBOUR, segment(), Traffic),
        of("vm_itself", VM, segment(), SourceIsThisVm),
        of("vm_itself_ping", VM, icmpv6::echo_request(), SourceIsThisVm),
        of("vm_itself_link_local", VM_LINK_LOCAL, icmpv6::echo_request(), SourceIsThisVm),
        of("privacy_address_of_the_64", VM_PRIVACY, segment(), Traffic),
        of("loopback", Ipv6Addr::LOCALHOST, segment(), SourceLoopback),
        of("ipv4_mapped", ip("::ffff:192.0.2.1"), segment(), SourceEmbedsIpv4),
        of("ipv4_compatible", ip("::192.0.2.1"), segment(), SourceEmbedsIpv4),
        of("ipv4_mapped_ping", ip("::ffff:192.0.2.1"), icmpv6::echo_request(), SourceEmbedsIpv4),
        of("ipv4_translated", ip("64:ff9b::192.0.2.1"), segment(), Traffic),
        of("group", ALL_NODES, segment(), SourceMulticast),
        of("group_wide", WIDE_GROUP, icmpv6::echo_request(), SourceMulticast),
        of("group_of_reserved_scope", ip("ff00::1"), segment(), SourceMulticast),
        nobody("tcp", VM, 64, segment(), SourceUnspecified),
        nobody("udp", VM, 64, udp(1, 2, &[]), SourceUnspecified),
        nobody("echo", VM, 64, icmpv6::echo_request(), SourceUnspecified),
        nobody("dhcpv6_reply", VM_LINK_LOCAL, 64, dhcpv6::server(7), SourceUnspecified),
        nobody("ra", ALL_NODES, 255, nd::ra(&[]), SourceUnspecified),
        nobody("rs", ALL_ROUTERS, 255, nd::rs(&[]), SourceUnspecified),
        nobody("na", ALL_NODES, 255, nd::na(NEIGHBOUR, &[]), SourceUnspecified),
        nobody("redirect", VM, 255, nd::redirect(NEIGHBOUR, NEIGHBOUR, &[]), SourceUnspecified),
        nobody("unassigned_type", VM, 64, icmpv6::message(99, 0, &[0; 4]), SourceUnspecified),
        nobody("dad_of_neighbour", NEIGHBOUR_SOLICITED, 255, nd::ns(NEIGHBOUR, &[]), NeighbourSolicitation),
        nobody("mld_report", MLD2_ROUTERS, 1, icmpv6::mld2_report(&[WIDE_GROUP]), Mld),
        nobody("mld_query", ALL_NODES, 1, icmpv6::mld2_query(UNSPECIFIED), Mld),
    ]
}

/// The other parts of the source set.
fn sets() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut both = |ports: Ports, name: &str, address: Ipv6Addr, out: Reason, back: Reason| {
        let sent = Ipv6::new(address, STRANGER, tcp(40000, 443, 2));
        let received = Ipv6::new(STRANGER, address, tcp(443, 40000, 0x12));
        cases.push(from_vm(format!("set_{name}_out"), S::Source, sent, out).on(ports));
        cases.push(to_vm(format!("set_{name}_in"), S::Destination, received, back).on(ports));
    };
    both(Ports::Several, "first_of_four", VM, Traffic, Traffic);
    both(Ports::Several, "second_of_four", VM_SECOND, Traffic, Traffic);
    both(Ports::Several, "third_of_four", VM_THIRD, Traffic, Traffic);
    both(Ports::Several, "fourth_of_four", VM_FOURTH, Traffic, Traffic);
    both(Ports::Several, "fifth_of_four", ip("2001:db8:500:0:47a:88ff:fe00:8b"), SourceSpoofed, NotForThisVm);
    both(Ports::Several, "privacy_in_third", ip("2001:db8:300::1234"), SourcePrivacy, NotForThisVm);
    both(Ports::Delegated, "delegated_first", DELEGATED_FIRST, Traffic, Traffic);
    both(Ports::Delegated, "delegated_last", DELEGATED_LAST, Traffic, Traffic);
    both(Ports::Delegated, "delegated_before", DELEGATED_BEFORE, SourceSpoofed, NotForThisVm);
    both(Ports::Delegated, "delegated_after", DELEGATED_AFTER, SourceSpoofed, NotForThisVm);
    both(Ports::Delegated, "delegated_pair", DELEGATED_PAIR, Traffic, Traffic);
    both(Ports::Delegated, "delegated_pair_after", DELEGATED_PAIR_AFTER, SourceSpoofed, NotForThisVm);
    both(Ports::Delegated, "extra", EXTRA, Traffic, Traffic);
    both(Ports::Delegated, "extra_next", ip("2001:db8:100::101"), SourcePrivacy, NotForThisVm);
    both(Ports::Delegated, "slaac_beside_delegated", VM, Traffic, Traffic);
    both(Ports::Plain, "extra_of_another_port", EXTRA, SourcePrivacy, NotForThisVm);
    both(Ports::Plain, "delegated_of_another_port", DELEGATED_FIRST, SourceSpoofed, NotForThisVm);
    both(Ports::Bare, "slaac_without_prefix", VM, SourceSpoofed, NotForThisVm);
    cases.extend([
        from_vm(
            "set_bare_link_local_ping",
            S::Source,
            Ipv6::new(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, icmpv6::echo_request()),
            Echo,
        )
        .on(Ports::Bare),
        to_vm("set_delegated_as_sender", S::Source, Ipv6::new(DELEGATED_LAST, VM, tcp(1, 2, 2)), SourceIsThisVm)
            .on(Ports::Delegated),
        to_vm("set_extra_as_sender", S::Source, Ipv6::new(EXTRA, VM, tcp(1, 2, 2)), SourceIsThisVm)
            .on(Ports::Delegated),
        to_vm("set_fourth_as_sender", S::Source, Ipv6::new(VM_FOURTH, VM, tcp(1, 2, 2)), SourceIsThisVm)
            .on(Ports::Several),
    ]);
    cases
}
