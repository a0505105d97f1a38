//! Multicast listener discovery: a VM listens and reports, it never queries.

use std::net::Ipv6Addr;

use ipv6_sg_common::verdict::Reason::{self, *};

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::extension::{authentication, router_alert};
use crate::frame::icmpv6::{mld1, mld2_query, mld2_report};
use crate::frame::{Ipv6, Upper};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = [from(), to()].concat();
    for (name, kind) in [("report1", 131), ("done", 132), ("report2", 143)] {
        for hops in [0, 2, 64, 255] {
            let packet = Ipv6::new(VM_LINK_LOCAL, MLD2_ROUTERS, mld1(kind, WIDE_GROUP)).hops(hops).ext(router_alert());
            cases.push(from_vm(format!("mld_{name}_hops_{hops}_from_vm"), S::Mld, packet, MldHopLimit));
        }
    }
    cases
}

fn from() -> Vec<Case> {
    let of = |name: &str, from: Ipv6Addr, to, upper: Upper, reason: Reason| {
        let packet = Ipv6::new(from, to, upper).hops(1).ext(router_alert());
        from_vm(format!("mld_{name}_from_vm"), S::Mld, packet, reason)
    };
    let query = |name: &str, to, upper| {
        let packet = Ipv6::new(VM_LINK_LOCAL, to, upper).hops(1).ext(router_alert());
        from_vm(format!("mld_{name}_from_vm"), S::MldQuery, packet, MldQueryFromVm)
    };
    let report = || mld2_report(&[VM_SOLICITED, WIDE_GROUP]);
    vec![
        of("report2", VM_LINK_LOCAL, MLD2_ROUTERS, report(), Mld),
        of("report2_from_nobody", UNSPECIFIED, MLD2_ROUTERS, report(), Mld),
        of("report2_empty", VM_LINK_LOCAL, MLD2_ROUTERS, mld2_report(&[]), Mld),
        of("report1", VM_LINK_LOCAL, WIDE_GROUP, mld1(131, WIDE_GROUP), Mld),
        of("report1_from_nobody", UNSPECIFIED, VM_SOLICITED, mld1(131, VM_SOLICITED), Mld),
        of("done", VM_LINK_LOCAL, ALL_ROUTERS, mld1(132, WIDE_GROUP), Mld),
        of("report2_from_global", VM, MLD2_ROUTERS, report(), MldSource),
        of("report1_from_global", VM, WIDE_GROUP, mld1(131, WIDE_GROUP), MldSource),
        of("done_from_global", VM, ALL_ROUTERS, mld1(132, WIDE_GROUP), MldSource),
        of("report2_to_unicast", VM_LINK_LOCAL, ROUTER_LINK_LOCAL, report(), MldDestination),
        of("report1_to_unicast", VM_LINK_LOCAL, STRANGER, mld1(131, WIDE_GROUP), MldDestination),
        of("report2_of_neighbour", NEIGHBOUR_LINK_LOCAL, MLD2_ROUTERS, report(), SourcePrivacy),
        of("report2_of_stranger", STRANGER, MLD2_ROUTERS, report(), SourceSpoofed),
        from_vm(
            "mld_report2_without_router_alert_from_vm",
            S::Mld,
            Ipv6::new(VM_LINK_LOCAL, MLD2_ROUTERS, report()).hops(1),
            Mld,
        ),
        query("query2", ALL_NODES, mld2_query(UNSPECIFIED)),
        query("query2_of_group", WIDE_GROUP, mld2_query(WIDE_GROUP)),
        query("query1", ALL_NODES, mld1(130, UNSPECIFIED)),
        query("query_to_unicast", NEIGHBOUR_LINK_LOCAL, mld2_query(UNSPECIFIED)),
        from_vm(
            "mld_query_behind_ah_from_vm",
            S::MldQuery,
            Ipv6::new(VM_LINK_LOCAL, ALL_NODES, mld2_query(UNSPECIFIED)).hops(1).ext(authentication(12)),
            MldQueryFromVm,
        ),
        from_vm(
            "mld_query_of_hops_64_from_vm",
            S::MldQuery,
            Ipv6::new(VM_LINK_LOCAL, ALL_NODES, mld2_query(UNSPECIFIED)),
            MldQueryFromVm,
        ),
    ]
}

fn to() -> Vec<Case> {
    let of = |name: &str, from: Ipv6Addr, to, hops, upper: Upper, reason: Reason| {
        let packet = Ipv6::new(from, to, upper).hops(hops).ext(router_alert());
        to_vm(format!("mld_{name}_to_vm"), if name.starts_with("query") { S::MldQuery } else { S::Mld }, packet, reason)
    };
    let query = || mld2_query(UNSPECIFIED);
    vec![
        of("query2", ROUTER_LINK_LOCAL, ALL_NODES, 1, query(), Mld),
        of("query1", ROUTER_LINK_LOCAL, ALL_NODES, 1, mld1(130, UNSPECIFIED), Mld),
        of("query_from_snooping_switch", UNSPECIFIED, ALL_NODES, 1, query(), Mld),
        of("query_of_group", ROUTER_LINK_LOCAL, WIDE_GROUP, 1, mld2_query(WIDE_GROUP), Mld),
        // RFC 3810 section 5.1.15: a node accepts a query to any of its addresses.
        of("query_to_unicast", ROUTER_LINK_LOCAL, VM_LINK_LOCAL, 1, query(), Mld),
        of("query_from_global", ROUTER, ALL_NODES, 1, query(), MldSource),
        of("query_of_hops_64", ROUTER_LINK_LOCAL, ALL_NODES, 64, query(), MldHopLimit),
        of("query_of_hops_255", ROUTER_LINK_LOCAL, ALL_NODES, 255, query(), MldHopLimit),
        of("query_of_hops_0", ROUTER_LINK_LOCAL, ALL_NODES, 0, query(), MldHopLimit),
        of("query_in_the_vms_name", VM_LINK_LOCAL, ALL_NODES, 1, query(), SourceIsThisVm),
        of("report1", NEIGHBOUR_LINK_LOCAL, WIDE_GROUP, 1, mld1(131, WIDE_GROUP), Mld),
        of("report2", NEIGHBOUR_LINK_LOCAL, MLD2_ROUTERS, 1, mld2_report(&[WIDE_GROUP]), Mld),
        of("done", NEIGHBOUR_LINK_LOCAL, ALL_ROUTERS, 1, mld1(132, WIDE_GROUP), Mld),
        of("report2_of_hops_2", NEIGHBOUR_LINK_LOCAL, MLD2_ROUTERS, 2, mld2_report(&[WIDE_GROUP]), MldHopLimit),
        of("report1_from_global", NEIGHBOUR, WIDE_GROUP, 1, mld1(131, WIDE_GROUP), MldSource),
        of("done_from_global", NEIGHBOUR, ALL_ROUTERS, 1, mld1(132, WIDE_GROUP), MldSource),
        of("report_reflected", VM_LINK_LOCAL, MLD2_ROUTERS, 1, mld2_report(&[WIDE_GROUP]), SourceIsThisVm),
    ]
}
