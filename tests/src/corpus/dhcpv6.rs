//! DHCPv6: a VM is a client on its link and nothing else.

use std::net::Ipv6Addr;

use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::dhcpv6::{body, client, kind, relay_forward, server};
use crate::frame::extension::{authentication, destination, hop_by_hop};
use crate::frame::{Ipv6, Upper, raw, udp};
use crate::world::*;

/// `ff05::1:3`, where relays reach servers.
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);

pub(super) fn cases() -> Vec<Case> {
    [types(), client_out(), server_out(), answers_in()].concat()
}

fn types() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, kind) in [
        ("reserved_0", 0),
        ("solicit", 1),
        ("advertise", 2),
        ("request", 3),
        ("confirm", 4),
        ("renew", 5),
        ("rebind", 6),
        ("reply", 7),
        ("release", 8),
        ("decline", 9),
        ("reconfigure", 10),
        ("information_request", 11),
        ("relay_forward", 12),
        ("relay_reply", 13),
        ("leasequery", 14),
        ("bulk_leasequery", 22),
        ("v4_query", 20),
        // The type as a shift count must not wrap around to an allowed one.
        ("type_65", 65),
        ("type_66", 66),
        ("type_129", 129),
        ("type_255", 255),
    ] {
        let asks = matches!(kind, 1 | 3 | 4 | 5 | 6 | 8 | 9 | 11);
        let answers = matches!(kind, 2 | 7 | 10);
        let (out, back) = (if asks { Dhcpv6 } else { Dhcpv6Type }, if answers { Dhcpv6 } else { Dhcpv6Type });
        let sent = Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, client(kind)).hops(1);
        let received = Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, server(kind));
        cases.push(from_vm(format!("dhcpv6_{name}_from_vm"), S::Dhcpv6Client, sent, out));
        cases.push(to_vm(format!("dhcpv6_{name}_to_vm"), S::Dhcpv6Client, received, back));
    }
    cases
}

fn client_out() -> Vec<Case> {
    let of = |name: &str, from, to, upper: Upper, reason: Reason| {
        from_vm(format!("dhcpv6_{name}"), S::Dhcpv6Client, Ipv6::new(from, to, upper), reason)
    };
    let solicit = || Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, client(kind::SOLICIT));
    let behind = |name: &str, extension, reason| {
        from_vm(format!("dhcpv6_{name}"), S::Dhcpv6Client, solicit().ext(extension), reason)
    };
    let from_port = |port| udp(port, 547, &body(kind::SOLICIT));
    vec![
        of("from_global", VM, DHCP_AGENTS, client(kind::SOLICIT), Dhcpv6NotClient),
        of("to_global_server", VM, STRANGER, client(kind::REQUEST), Dhcpv6NotClient),
        of("to_router_unicast", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, client(kind::REQUEST), Dhcpv6NotClient),
        of("to_all_servers", VM_LINK_LOCAL, SERVERS, client(kind::SOLICIT), Dhcpv6NotClient),
        of("to_all_servers_from_global", VM, SERVERS, client(kind::SOLICIT), Dhcpv6NotClient),
        of("to_all_nodes", VM_LINK_LOCAL, ALL_NODES, client(kind::SOLICIT), Dhcpv6NotClient),
        of("from_port_547", VM_LINK_LOCAL, DHCP_AGENTS, from_port(547), Dhcpv6ServerFromVm),
        of("from_port_545", VM_LINK_LOCAL, DHCP_AGENTS, from_port(545), Dhcpv6NotClient),
        of("from_port_40000", VM_LINK_LOCAL, DHCP_AGENTS, from_port(40000), Dhcpv6NotClient),
        of("to_port_546", VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 546, &body(1)), LinkLocalTraffic),
        of("to_port_548", VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 548, &body(1)), LinkLocalTraffic),
        of("empty", VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 547, &[]), UpperTruncated),
        of("type_only", VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 547, &[kind::SOLICIT]), Dhcpv6),
        from_vm("dhcpv6_solicit_cut_to_udp_header", S::Dhcpv6Client, solicit().cut(30), UpperTruncated),
        behind("solicit_behind_options", destination(&[]), Dhcpv6),
        behind("solicit_behind_hop_by_hop", hop_by_hop(&[]), Dhcpv6),
        behind("solicit_behind_ah", authentication(12), Dhcpv6),
        of("tcp_port_is_no_dhcpv6", VM, STRANGER, crate::frame::tcp(547, 547, 2), Traffic),
        of(
            "udp_lite_is_no_dhcpv6",
            VM_LINK_LOCAL,
            DHCP_AGENTS,
            raw(136, vec![2, 0x22, 2, 0x23, 0, 8, 0, 0, 1]),
            LinkLocalTraffic,
        ),
        of("port_546_beyond_the_link", VM, STRANGER, udp(546, 53, &[]), Traffic),
    ]
}

fn server_out() -> Vec<Case> {
    let of = |name: &str, from, to, upper: Upper, reason: Reason| {
        from_vm(format!("dhcpv6_{name}"), S::Dhcpv6Server, Ipv6::new(from, to, upper), reason)
    };
    let behind = |name: &str, extension, reason| {
        let packet = Ipv6::new(VM, STRANGER, udp(547, 547, &relay_forward())).ext(extension);
        from_vm(format!("dhcpv6_{name}"), S::Dhcpv6Server, packet, reason)
    };
    vec![
        of("advertise_to_neighbour", VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, server(kind::ADVERTISE), Dhcpv6ServerFromVm),
        of("reply_to_neighbour", VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, server(kind::REPLY), Dhcpv6ServerFromVm),
        of("reply_beyond_the_link", VM, STRANGER, server(kind::REPLY), Dhcpv6ServerFromVm),
        of("reply_from_another_port", VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, udp(5470, 546, &body(7)), LinkLocalTraffic),
        of("port_547_to_anything", VM, STRANGER, udp(547, 53, &[]), Dhcpv6ServerFromVm),
        of("port_547_to_itself", VM, VM, udp(547, 547, &[]), Dhcpv6ServerFromVm),
        of("relay_forward_to_server", VM, STRANGER, udp(547, 547, &relay_forward()), Dhcpv6ServerFromVm),
        of("relay_forward_to_all_servers", VM, SERVERS, udp(547, 547, &relay_forward()), Dhcpv6ServerFromVm),
        of("relay_forward_from_546", VM, STRANGER, udp(546, 547, &relay_forward()), Dhcpv6NotClient),
        of("relay_forward_from_40000", VM, STRANGER, udp(40000, 547, &relay_forward()), Dhcpv6NotClient),
        of("relay_forward_to_agents", VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 547, &relay_forward()), Dhcpv6Type),
        of("relay_forward_to_wide_group", VM, WIDE_GROUP, udp(40000, 547, &relay_forward()), Dhcpv6NotClient),
        of("any_udp_to_547", VM, STRANGER, udp(40000, 547, &[]), Dhcpv6NotClient),
        of("udp_to_546_beyond_the_link", VM, STRANGER, udp(40000, 546, &[]), Traffic),
        behind("relay_forward_behind_options", destination(&[]), Dhcpv6ServerFromVm),
        behind("relay_forward_behind_ah", authentication(12), Dhcpv6ServerFromVm),
        behind("relay_forward_behind_hop_by_hop", hop_by_hop(&[]), Dhcpv6ServerFromVm),
        from_vm(
            "dhcpv6_relay_forward_from_delegated",
            S::Dhcpv6Server,
            Ipv6::new(DELEGATED_FIRST, STRANGER, udp(547, 547, &relay_forward())),
            Dhcpv6ServerFromVm,
        )
        .on(Ports::Delegated),
    ]
}

fn answers_in() -> Vec<Case> {
    let of = |name: &str, from, to, upper: Upper, reason: Reason| {
        to_vm(format!("dhcpv6_{name}_to_vm"), S::Dhcpv6Server, Ipv6::new(from, to, upper), reason)
    };
    vec![
        of("reply_on_link", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, server(kind::REPLY), Dhcpv6),
        of("reply_from_global", ROUTER, VM_LINK_LOCAL, server(kind::REPLY), Dhcpv6NotServer),
        of("reply_to_global", ROUTER_LINK_LOCAL, VM, server(kind::REPLY), Dhcpv6NotServer),
        of("reply_global_to_global", STRANGER, VM, server(kind::REPLY), Dhcpv6NotServer),
        of("reply_to_all_nodes", ROUTER_LINK_LOCAL, ALL_NODES, server(kind::REPLY), Dhcpv6NotServer),
        of("reply_to_wide_group", STRANGER, WIDE_GROUP, server(kind::REPLY), Dhcpv6NotServer),
        of("reply_from_another_port", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, udp(5470, 546, &body(7)), Dhcpv6NotServer),
        of("reply_from_another_port_global", STRANGER, VM, udp(40000, 546, &body(7)), Dhcpv6NotServer),
        of("reply_empty", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, udp(547, 546, &[]), UpperTruncated),
        of("solicit_of_neighbour", NEIGHBOUR_LINK_LOCAL, DHCP_AGENTS, client(kind::SOLICIT), LinkLocalTraffic),
        of("relay_reply_to_relay", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, udp(547, 547, &[13; 40]), LinkLocalTraffic),
        of("port_547_as_any_other", STRANGER, VM, udp(547, 40000, &[]), Traffic),
    ]
}
