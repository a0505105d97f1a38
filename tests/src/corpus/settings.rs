//! Settings: quarantine, `ipv4`, `echo`.

use ipv6_sg_common::abi::Direction::{FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::*;

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::{Ipv6, icmpv6, ipv4, nd, tcp};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    let out = Ipv6::new(VM, STRANGER, tcp(40000, 443, 2));
    let back = Ipv6::new(STRANGER, VM, tcp(443, 40000, 0x12));
    let solicitation = Ipv6::new(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, nd::ns(ROUTER_LINK_LOCAL, &[])).hops(255);
    let ping = |from, to| Ipv6::new(from, to, icmpv6::echo_request());
    vec![
        from_vm("quarantine_ipv6_out", S::Quarantine, out.clone(), Quarantined).on(Ports::Quarantined),
        from_vm("quarantine_ns_out", S::Quarantine, solicitation, Quarantined).on(Ports::Quarantined),
        from_vm("quarantine_ipv4_out", S::Quarantine, ipv4::ping(FromVm), Quarantined).on(Ports::Quarantined),
        from_vm("quarantine_arp_out", S::Quarantine, ipv4::arp(FromVm), Quarantined).on(Ports::Quarantined),
        from_vm("quarantine_spoofed_out", S::Quarantine, out.ethernet(FromVm).from(NEIGHBOUR_MAC), Quarantined)
            .on(Ports::Quarantined),
        from_vm("quarantine_runt_out", S::Quarantine, out.ethernet(FromVm).cut(14), Quarantined).on(Ports::Quarantined),
        to_vm("quarantine_ipv6_in", S::Quarantine, back, Quarantined).on(Ports::Quarantined),
        to_vm("quarantine_ipv4_in", S::Quarantine, ipv4::ping(ToVm), Quarantined).on(Ports::Quarantined),
        to_vm("quarantine_arp_in", S::Quarantine, ipv4::arp(ToVm), Quarantined).on(Ports::Quarantined),
        from_vm("quarantine_over_ipv6_out", S::Quarantine, out.clone(), Traffic),
        to_vm("quarantine_over_arp_in", S::Quarantine, ipv4::arp(ToVm), Arp),
        from_vm("ipv4_off_ping_out", S::Layer2Type, ipv4::ping(FromVm), Ipv4Disabled).on(Ports::NoIpv4),
        from_vm("ipv4_off_arp_out", S::Layer2Type, ipv4::arp(FromVm), Ipv4Disabled).on(Ports::NoIpv4),
        to_vm("ipv4_off_ping_in", S::Layer2Type, ipv4::ping(ToVm), Ipv4Disabled).on(Ports::NoIpv4),
        to_vm("ipv4_off_arp_in", S::Layer2Type, ipv4::arp(ToVm), Ipv4Disabled).on(Ports::NoIpv4),
        from_vm("ipv4_off_ipv6_still_passes", S::Layer2Type, out, Traffic).on(Ports::NoIpv4),
        from_vm("ipv4_off_spoofed_mac_first", S::Layer2Address, ipv4::arp(FromVm).from(ROUTER_MAC), MacSpoofed)
            .on(Ports::NoIpv4),
        from_vm("echo_rules_ping_out_is_traffic", S::Echo, ping(VM, STRANGER), Traffic).on(Ports::EchoRules),
        to_vm("echo_rules_ping_in_is_traffic", S::Echo, ping(STRANGER, VM), Traffic).on(Ports::EchoRules),
        to_vm("echo_rules_reply_in_is_traffic", S::Echo, Ipv6::new(STRANGER, VM, icmpv6::echo_reply()), Traffic)
            .on(Ports::EchoRules),
        from_vm("echo_rules_wide_group_is_traffic", S::Echo, ping(VM, WIDE_GROUP), Traffic).on(Ports::EchoRules),
        from_vm("echo_rules_link_local_passes", S::Echo, ping(VM_LINK_LOCAL, ROUTER_LINK_LOCAL), Echo)
            .on(Ports::EchoRules),
        from_vm("echo_rules_all_nodes_passes", S::Echo, ping(VM, ALL_NODES), Echo).on(Ports::EchoRules),
        to_vm("echo_rules_link_local_in_passes", S::Echo, ping(ROUTER_LINK_LOCAL, VM_LINK_LOCAL), Echo)
            .on(Ports::EchoRules),
    ]
}
