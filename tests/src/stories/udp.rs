//! UDP: who has asked is answered, from where it asked.

use ipv6_sg_common::verdict::Reason::*;

use super::{ELSEWHERE, NO_RULES, Story, back, both, egress, ingress, only_ingress, out};
use crate::frame::{Ipv6, dhcpv6, udp};
use crate::world::*;

pub(super) fn stories() -> Vec<Story> {
    let query = || out(udp(40000, 53, b"?"));
    let answer = || back(udp(53, 40000, b"!"));
    let dns = r#"{ protocol = "udp", ports = "53", peers = ["::/0"] }"#;
    vec![
        Story::new("udp_question_and_answer", NO_RULES)
            .gets(answer(), IngressDenied)
            .sends(query(), Allowed)
            .gets(answer(), Established)
            .gets(answer(), Established)
            .sends(query(), Established)
            .remembers(1),
        Story::new("udp_server", &only_ingress(dns))
            .sends(out(udp(53, 40000, b"!")), EgressDenied)
            .gets(back(udp(40000, 53, b"?")), Allowed)
            .sends(out(udp(53, 40000, b"!")), Established)
            .remembers(1),
        Story::new("udp_answers_of_others", NO_RULES)
            .sends(query(), Allowed)
            .gets(back(udp(54, 40000, b"!")), IngressDenied)
            .gets(back(udp(53, 40001, b"!")), IngressDenied)
            .gets(Ipv6::new(ROUTER, VM, udp(53, 40000, b"!")), IngressDenied)
            .gets(answer(), Established),
        Story::new("udp_server_that_answers_from_elsewhere", &only_ingress(dns))
            .gets(back(udp(40000, 53, b"?")), Allowed)
            .sends(out(udp(54, 40000, b"!")), EgressDenied)
            .sends(Ipv6::new(VM, ROUTER, udp(53, 40000, b"!")), EgressDenied),
        Story::new("udp_both_ways_on_one_tuple", &both(dns, dns))
            .sends(out(udp(53, 53, b"?")), Allowed)
            .gets(back(udp(53, 53, b"?")), Established)
            .sends(out(udp(53, 53, b"!")), Established)
            .remembers(1),
        Story::new("udp_traceroute", NO_RULES)
            .sends(out(udp(33000, 33435, &[0; 12])).hops(1), Allowed)
            .sends(out(udp(33000, 33436, &[0; 12])).hops(2), Allowed)
            .sends(out(udp(33000, 33435, &[0; 12])).hops(3), Established)
            .remembers(2),
        // The rules have no say in these, whatever they allow.
        Story::new("udp_of_dhcpv6_servers", &ingress(r#"{ protocol = "all", peers = ["::/0"] }"#))
            .sends(out(udp(547, 40000, &[])), Dhcpv6ServerFromVm)
            .sends(out(udp(40000, 547, &[])), Dhcpv6NotClient)
            .gets(back(udp(547, 546, &[])), Dhcpv6NotServer)
            .gets(back(udp(40000, 547, &[])), Allowed)
            .sends(out(udp(547, 40000, &[])), Dhcpv6ServerFromVm),
        Story::new("udp_of_a_dhcpv6_client_is_no_flow", &egress(ELSEWHERE))
            .sends(Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, dhcpv6::client(1)), Dhcpv6)
            .gets(Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, dhcpv6::server(2)), Dhcpv6)
            .remembers(0),
    ]
}
