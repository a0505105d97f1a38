//! What keeps a link alive passes whatever the rules are, and is no flow.

use ipv6_sg_common::verdict::Reason::*;

use super::{ELSEWHERE, Story, both};
use crate::frame::extension::router_alert;
use crate::frame::{Ipv6, dhcpv6, icmpv6, nd, tcp, udp};
use crate::world::*;

pub(super) fn stories() -> Vec<Story> {
    let shut = both(ELSEWHERE, ELSEWHERE);
    let everything = r#"{ protocol = "all", peers = ["::/0"] }"#;
    let mld = |from, to, upper| Ipv6::new(from, to, upper).hops(1).ext(router_alert());
    vec![
        Story::new("neighbour_discovery_without_rules", &shut)
            .sends(Ipv6::new(UNSPECIFIED, VM_SOLICITED, nd::ns(VM, &[])).hops(255), NeighbourSolicitation)
            .sends(Ipv6::new(VM_LINK_LOCAL, ALL_ROUTERS, nd::rs(&[nd::slla(VM_MAC)])).hops(255), RouterSolicitation)
            .gets(Ipv6::new(ROUTER_LINK_LOCAL, ALL_NODES, nd::ra(&[nd::prefix(VM)])).hops(255), RouterAdvertisement)
            .sends(
                Ipv6::new(VM, NEIGHBOUR_SOLICITED, nd::ns(NEIGHBOUR, &[nd::slla(VM_MAC)])).hops(255),
                NeighbourSolicitation,
            )
            .gets(
                Ipv6::new(NEIGHBOUR, VM, nd::na(NEIGHBOUR, &[nd::tlla(NEIGHBOUR_MAC)])).hops(255),
                NeighbourAdvertisement,
            )
            .gets(Ipv6::new(NEIGHBOUR, VM_SOLICITED, nd::ns(VM, &[])).hops(255), NeighbourSolicitation)
            .sends(Ipv6::new(VM, NEIGHBOUR, nd::na(VM, &[nd::tlla(VM_MAC)])).hops(255), NeighbourAdvertisement)
            .remembers(0),
        Story::new("listener_discovery_without_rules", &shut)
            .gets(mld(ROUTER_LINK_LOCAL, ALL_NODES, icmpv6::mld2_query(UNSPECIFIED)), Mld)
            .sends(mld(VM_LINK_LOCAL, MLD2_ROUTERS, icmpv6::mld2_report(&[WIDE_GROUP])), Mld)
            .remembers(0),
        Story::new("dhcpv6_without_rules", &shut)
            .sends(Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(1)), Dhcpv6)
            .gets(Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, dhcpv6::server(7)), Dhcpv6)
            .remembers(0),
        // No rule lets anything else use link-local addresses, and no flow does.
        Story::new("link_local_whatever_the_rules", &both(everything, everything))
            .sends(Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, tcp(40000, 22, 2)), LinkLocalTraffic)
            .gets(Ipv6::new(NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL, tcp(22, 40000, 0x12)), LinkLocalTraffic)
            .sends(Ipv6::new(VM, ALL_NODES, udp(5353, 5353, &[])), LinkLocalTraffic)
            .gets(Ipv6::new(NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL, udp(5353, 5353, &[])), LinkLocalTraffic)
            .remembers(0),
    ]
}
