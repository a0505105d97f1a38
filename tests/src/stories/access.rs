//! Which traffic a rule is about, and what holds where there is no rule.

use ipv6_sg_common::verdict::Reason::*;

use super::{ELSEWHERE, IN_GROUP, NO_RULES, Story, back, both, egress, ingress, out};
use crate::frame::{Ipv6, raw, sctp, tcp, udp};
use crate::world::*;

pub(super) fn stories() -> Vec<Story> {
    [without_rules(), ports(), protocols(), groups()].concat()
}

fn without_rules() -> Vec<Story> {
    vec![
        Story::new("no_rules_nothing_in", NO_RULES)
            .gets(back(tcp(40000, 22, 2)), IngressDenied)
            .gets(back(udp(40000, 53, &[])), IngressDenied)
            .gets(back(raw(47, vec![0; 4])), IngressDenied)
            .gets(back(raw(59, vec![])), IngressDenied)
            .remembers(0),
        Story::new("no_rules_everything_out", NO_RULES)
            .sends(out(tcp(40000, 443, 2)), Allowed)
            .sends(out(udp(40000, 53, &[])), Allowed)
            .sends(out(sctp(9, 9)), Allowed)
            .sends(out(raw(47, vec![0; 4])), Allowed)
            .sends(out(raw(255, vec![])), Ipv6Jumbogram)
            .remembers(4),
        Story::on("in_no_group_nothing_in", "security_groups = []", "")
            .gets(back(tcp(40000, 22, 2)), IngressDenied)
            .sends(out(tcp(40000, 22, 2)), Allowed)
            .gets(back(tcp(22, 40000, 0x12)), Established),
        Story::new("one_egress_rule_only_that_out", egress(DNS).as_str())
            .sends(out(udp(40000, 53, &[])), Allowed)
            .sends(out(tcp(40000, 53, 2)), EgressDenied)
            .sends(out(udp(40000, 443, &[])), EgressDenied)
            .sends(out(raw(47, vec![0; 4])), EgressDenied)
            .gets(back(udp(53, 40000, &[])), Established)
            .gets(back(udp(53, 40001, &[])), IngressDenied)
            .remembers(1),
        Story::new("one_ingress_rule_only_that_in", ingress(DNS).as_str())
            .gets(back(udp(40000, 53, &[])), Allowed)
            .gets(back(udp(53, 40000, &[])), IngressDenied)
            .sends(out(udp(53, 40000, &[])), Established)
            .sends(out(udp(53, 40001, &[])), Allowed)
            .remembers(2),
        Story::on("no_groups_no_flows", "", "")
            .gets(back(tcp(40000, 22, 2)), Traffic)
            .sends(out(tcp(22, 40000, 0x12)), Traffic)
            .gets(back(udp(40000, 53, &[])), Traffic)
            .sends(out(raw(47, vec![0; 4])), Traffic)
            .remembers(0),
        Story::on("rules_for_a_port_that_had_none", "", "")
            .gets(back(tcp(40000, 22, 0x10)), Traffic)
            .port(IN_GROUP, NO_RULES)
            .gets(back(tcp(40000, 22, 0x10)), IngressDenied)
            .sends(out(tcp(22, 40000, 0x10)), Allowed)
            .gets(back(tcp(40000, 22, 0x10)), Established)
            .port("", "")
            .gets(back(tcp(40000, 23, 0x10)), Traffic),
    ]
}

/// DNS over UDP, with everybody.
const DNS: &str = r#"{ protocol = "udp", ports = "53", peers = ["::/0"] }"#;

fn ports() -> Vec<Story> {
    let range = r#"{ protocol = "udp", ports = "5000-5010", peers = ["::/0"] },
                   { protocol = "tcp", ports = "5005", peers = ["::/0"] }"#;
    let ends = r#"{ protocol = "tcp", ports = "0", peers = ["::/0"] },
                  { protocol = "tcp", ports = "65535", peers = ["::/0"] }"#;
    let touching = r#"{ protocol = "tcp", ports = "1000-1999", peers = ["::/0"] },
                      { protocol = "tcp", ports = "1500-2047", peers = ["::/0"] },
                      { protocol = "tcp", ports = "2048", peers = ["::/0"] }"#;
    vec![
        Story::new("edges_of_a_port_range_in", &ingress(range))
            .gets(back(udp(9, 4999, &[])), IngressDenied)
            .gets(back(udp(9, 5000, &[])), Allowed)
            .gets(back(udp(9, 5005, &[])), Allowed)
            .gets(back(udp(9, 5010, &[])), Allowed)
            .gets(back(udp(9, 5011, &[])), IngressDenied)
            .gets(back(tcp(9, 5000, 2)), IngressDenied)
            .gets(back(tcp(9, 5005, 2)), Allowed),
        Story::new("edges_of_a_port_range_out", &egress(range))
            .sends(out(udp(9, 4999, &[])), EgressDenied)
            .sends(out(udp(9, 5000, &[])), Allowed)
            .sends(out(udp(9, 5010, &[])), Allowed)
            .sends(out(udp(9, 5011, &[])), EgressDenied)
            .sends(out(udp(5000, 9, &[])), EgressDenied),
        Story::new("the_first_and_last_port", &ingress(ends))
            .gets(back(tcp(9, 0, 2)), Allowed)
            .gets(back(tcp(9, 1, 2)), IngressDenied)
            .gets(back(tcp(9, 65534, 2)), IngressDenied)
            .gets(back(tcp(9, 65535, 2)), Allowed)
            .gets(back(udp(9, 0, &[])), IngressDenied),
        Story::new("ranges_that_touch_and_overlap", &ingress(touching))
            .gets(back(tcp(9, 999, 2)), IngressDenied)
            .gets(back(tcp(9, 1000, 2)), Allowed)
            .gets(back(tcp(9, 1999, 2)), Allowed)
            .gets(back(tcp(9, 2000, 2)), Allowed)
            .gets(back(tcp(9, 2048, 2)), Allowed)
            .gets(back(tcp(9, 2049, 2)), IngressDenied),
        Story::new("a_protocol_without_ports_key_is_every_port", &ingress(r#"{ protocol = "tcp", peers = ["::/0"] }"#))
            .gets(back(tcp(9, 0, 2)), Allowed)
            .gets(back(tcp(9, 65535, 2)), Allowed)
            .gets(back(udp(9, 9, &[])), IngressDenied),
    ]
}

fn protocols() -> Vec<Story> {
    let numbers = r#"{ protocol = 47, peers = ["::/0"] },
                     { protocol = "17", peers = ["::/0"] },
                     { protocol = 0, peers = ["::/0"] },
                     { protocol = 255, peers = ["::/0"] },
                     { protocol = 59, peers = ["::/0"] }"#;
    vec![
        Story::new("protocols_by_number", &ingress(numbers))
            .gets(back(raw(46, vec![0; 8])), IngressDenied)
            .gets(back(raw(47, vec![0; 8])), Allowed)
            .gets(back(raw(48, vec![0; 8])), IngressDenied)
            .gets(back(udp(1, 2, &[])), Allowed)
            .gets(back(tcp(1, 2, 2)), IngressDenied)
            .gets(back(raw(255, vec![0; 8])), Allowed)
            .gets(back(raw(254, vec![0; 8])), IngressDenied)
            .gets(back(raw(59, vec![])), Allowed)
            // ICMPv4 has no place here, whatever is allowed.
            .gets(back(raw(1, vec![0; 8])), Icmpv4),
        Story::new("all_is_every_protocol", &ingress(r#"{ protocol = "all", peers = ["::/0"] }"#))
            .gets(back(tcp(1, 2, 2)), Allowed)
            .gets(back(udp(1, 2, &[])), Allowed)
            .gets(back(sctp(1, 2)), Allowed)
            .gets(back(raw(50, vec![0; 8])), Allowed)
            .gets(back(raw(41, vec![0; 8])), Allowed)
            .gets(back(raw(253, vec![0; 8])), Allowed),
    ]
}

fn groups() -> Vec<Story> {
    let two = r#"
        [security_group.web]
        ingress = [{ protocol = "tcp", ports = "443", peers = ["::/0"] }]
        [security_group.admin]
        ingress = [{ protocol = "tcp", ports = "22", peers = ["2a00::/16"] }]
    "#;
    let one_says_out = r#"
        [security_group.web]
        ingress = [{ protocol = "tcp", ports = "443", peers = ["::/0"] }]
        [security_group.client]
        egress = [{ protocol = "udp", ports = "53", peers = ["::/0"] }]
    "#;
    vec![
        Story::on("any_rule_of_any_group", "security_groups = [\"web\", \"admin\"]", two)
            .gets(back(tcp(9, 443, 2)), Allowed)
            .gets(back(tcp(9, 22, 2)), Allowed)
            .gets(Ipv6::new(ROUTER, VM, tcp(9, 443, 2)), Allowed)
            .gets(Ipv6::new(ROUTER, VM, tcp(9, 22, 2)), IngressDenied),
        Story::on("a_group_that_the_port_is_not_in", "security_groups = [\"web\"]", two)
            .gets(back(tcp(9, 443, 2)), Allowed)
            .gets(back(tcp(9, 22, 2)), IngressDenied),
        Story::on("egress_rules_of_one_group_hold_for_all", "security_groups = [\"web\", \"client\"]", one_says_out)
            .sends(out(udp(9, 53, &[])), Allowed)
            .sends(out(tcp(9, 443, 2)), EgressDenied)
            .gets(back(tcp(9, 443, 2)), Allowed)
            .sends(out(tcp(443, 9, 0x12)), Established),
        Story::new("rules_that_meet_nothing", &both(ELSEWHERE, ELSEWHERE))
            .gets(back(tcp(1, 9, 2)), IngressDenied)
            .sends(out(tcp(1, 9, 2)), EgressDenied)
            .remembers(0),
    ]
}
