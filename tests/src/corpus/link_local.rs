//! What uses the link and nothing beyond it: only ND and its kin.

use std::net::Ipv6Addr;

use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::extension::{authentication, destination};
use crate::frame::{Ipv6, Upper, icmpv6, raw, sctp, tcp, udp};
use crate::world::*;

const MDNS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const LLMNR: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 3);
const SSDP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);
const RIPNG: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 9);
const OSPF: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 5);
const VRRP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

pub(super) fn cases() -> Vec<Case> {
    let out = |name: &str, from, to, upper: Upper, reason: Reason| {
        from_vm(format!("link_{name}_from_vm"), S::LinkLocal, Ipv6::new(from, to, upper), reason)
    };
    let back = |name: &str, from, to, upper: Upper, reason: Reason| {
        to_vm(format!("link_{name}_to_vm"), S::LinkLocal, Ipv6::new(from, to, upper), reason)
    };
    let esp = || raw(50, vec![7; 40]);
    let wrapped = Ipv6::new(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, tcp(40000, 22, 2));
    vec![
        out("echo", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, icmpv6::echo_request(), Echo),
        out("tcp", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, tcp(40000, 22, 2), LinkLocalTraffic),
        out("udp", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, udp(40000, 53, &[]), LinkLocalTraffic),
        out("sctp", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, sctp(40000, 22), LinkLocalTraffic),
        out("esp", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, esp(), LinkLocalTraffic),
        out("nothing", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, raw(59, vec![]), LinkLocalTraffic),
        out("ipv6_in_ipv6", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, raw(41, vec![0x60; 48]), LinkLocalTraffic),
        out("tcp_from_link_local_to_global", VM_LINK_LOCAL, STRANGER, tcp(40000, 22, 2), LinkLocalTraffic),
        out("tcp_from_global_to_link_local", VM, ROUTER_LINK_LOCAL, tcp(40000, 179, 2), LinkLocalTraffic),
        out("udp_from_link_local_to_wide_group", VM_LINK_LOCAL, WIDE_GROUP, udp(1, 2, &[]), LinkLocalTraffic),
        out("udp_from_global_to_wide_group", VM, WIDE_GROUP, udp(1, 2, &[]), Traffic),
        out("ripng", VM_LINK_LOCAL, RIPNG, udp(521, 521, &[2, 1, 0, 0]), LinkLocalTraffic),
        out("ospf", VM_LINK_LOCAL, OSPF, raw(89, vec![3; 36]), LinkLocalTraffic),
        out("vrrp", VM_LINK_LOCAL, VRRP, raw(112, vec![0x31; 24]), LinkLocalTraffic),
        out("vrrp_from_global", VM, VRRP, raw(112, vec![0x31; 24]), LinkLocalTraffic),
        out("mdns", VM_LINK_LOCAL, MDNS, udp(5353, 5353, &[0; 12]), LinkLocalTraffic),
        out("mdns_from_global", VM, MDNS, udp(5353, 5353, &[0; 12]), LinkLocalTraffic),
        out("llmnr", VM_LINK_LOCAL, LLMNR, udp(60000, 5355, &[0; 12]), LinkLocalTraffic),
        out("ssdp", VM_LINK_LOCAL, SSDP, udp(60000, 1900, b"M-SEARCH * HTTP/1.1"), LinkLocalTraffic),
        from_vm(
            "link_tcp_behind_options_from_vm",
            S::LinkLocal,
            wrapped.clone().ext(destination(&[])),
            LinkLocalTraffic,
        ),
        from_vm("link_tcp_behind_ah_from_vm", S::LinkLocal, wrapped.ext(authentication(12)), LinkLocalTraffic),
        back("echo", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, icmpv6::echo_request(), Echo),
        back("tcp", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, tcp(40000, 22, 2), LinkLocalTraffic),
        back("udp", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, udp(53, 40000, &[]), LinkLocalTraffic),
        back("esp", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, esp(), LinkLocalTraffic),
        back("tcp_from_global_to_link_local", STRANGER, VM_LINK_LOCAL, tcp(1, 22, 2), LinkLocalTraffic),
        back("tcp_from_link_local_to_global", NEIGHBOUR_LINK_LOCAL, VM, tcp(1, 22, 2), LinkLocalTraffic),
        back(
            "udp_from_last_link_local",
            Ipv6Addr::new(0xfebf, 0xffff, 0, 0, 0, 0, 0, 1),
            VM,
            udp(1, 2, &[]),
            LinkLocalTraffic,
        ),
        back("udp_from_site_local", Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 1), VM, udp(1, 2, &[]), Traffic),
        back("mdns", NEIGHBOUR_LINK_LOCAL, MDNS, udp(5353, 5353, &[0; 12]), LinkLocalTraffic),
        back("llmnr", NEIGHBOUR_LINK_LOCAL, LLMNR, udp(60000, 5355, &[0; 12]), LinkLocalTraffic),
        back("udp_from_global_to_all_nodes", STRANGER, ALL_NODES, udp(1, 2, &[]), LinkLocalTraffic),
        back("udp_to_wide_group", STRANGER, WIDE_GROUP, udp(1, 2, &[]), Traffic),
        back("ospf", ROUTER_LINK_LOCAL, OSPF, raw(89, vec![3; 36]), LinkLocalTraffic),
    ]
}
