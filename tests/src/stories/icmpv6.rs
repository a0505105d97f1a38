//! ICMPv6 on a port with rules: errors need none, some types need one that names them, some have none that helps.

use ipv6_sg_common::verdict::Reason::*;

use super::{ELSEWHERE, NO_RULES, Story, back, both, egress, ingress, out};
use crate::frame::{Ipv6, Upper, icmpv6, tcp, udp};
use crate::world::*;

pub(super) fn stories() -> Vec<Story> {
    [errors(), named(), forbidden()].concat()
}

fn errors() -> Vec<Story> {
    let shut = both(ELSEWHERE, ELSEWHERE);
    let sent = || out(tcp(40000, 443, 0x10));
    let came = || back(udp(40000, 9, &[0; 16]));
    let mut in_and_out = Story::new("errors_need_no_rule", &shut);
    for kind in 1..=4 {
        in_and_out = in_and_out
            .gets(back(icmpv6::error(kind, 0, &sent())), IcmpError)
            .gets(Ipv6::new(ROUTER, VM, icmpv6::error(kind, 0, &sent())), IcmpError)
            .sends(out(icmpv6::error(kind, 0, &came())), IcmpError);
    }
    vec![
        in_and_out.remembers(0),
        Story::new(
            "errors_about_others_help_no_rule",
            &ingress(r#"{ protocol = "icmpv6", type = 2, peers = ["::/0"] }"#),
        )
        .gets(back(icmpv6::error(2, 0, &came())), ErrorForeign)
        .sends(out(icmpv6::error(2, 0, &sent())), ErrorForeign),
        Story::new("errors_in_the_course_of_a_flow", NO_RULES)
            .sends(sent(), Allowed)
            .gets(Ipv6::new(ROUTER, VM, icmpv6::error(2, 0, &sent())), IcmpError)
            .sends(sent(), Established)
            .remembers(1),
    ]
}

/// A message without a row of its own in the policy.
fn message(kind: u8, code: u8) -> Upper {
    icmpv6::message(kind, code, &[0; 8])
}

fn named() -> Vec<Story> {
    let general = r#"{ protocol = "all", peers = ["::/0"] },
                     { protocol = "icmpv6", peers = ["::/0"] },
                     { protocol = 58, peers = ["::/0"] }"#;
    let type_200 = r#"{ protocol = "icmpv6", type = 200, peers = ["::/0"] }"#;
    let code_1 = r#"{ protocol = "icmpv6", type = 200, code = 1, peers = ["::/0"] }"#;
    let beside_all = r#"{ protocol = "all", peers = ["::/0"] },
                        { protocol = "icmpv6", type = 200, peers = ["2a00::/16"] }"#;
    vec![
        Story::new("types_that_no_rule_names", &both(general, general))
            .gets(back(message(200, 0)), IcmpNeedsRule)
            .gets(back(message(255, 0)), IcmpNeedsRule)
            .sends(out(message(100, 0)), IcmpNeedsRule)
            .sends(out(message(0, 0)), IcmpNeedsRule),
        Story::new("types_where_everything_may_leave", NO_RULES)
            .sends(out(message(200, 0)), IcmpNeedsRule)
            .gets(back(message(200, 0)), IcmpNeedsRule),
        Story::new("a_type_that_a_rule_names", &ingress(type_200))
            .gets(back(message(200, 0)), Allowed)
            .gets(back(message(200, 255)), Allowed)
            .gets(back(message(199, 255)), IcmpNeedsRule)
            .gets(back(message(201, 0)), IcmpNeedsRule)
            // Each message on its own: what came in opens nothing for what goes out.
            .sends(out(message(200, 0)), IcmpNeedsRule)
            .remembers(0),
        Story::new("a_type_and_code_that_a_rule_names", &both(code_1, code_1))
            .gets(back(message(200, 0)), IcmpNeedsRule)
            .gets(back(message(200, 1)), Allowed)
            .gets(back(message(200, 2)), IcmpNeedsRule)
            .sends(out(message(200, 1)), Allowed)
            .sends(out(message(200, 2)), IcmpNeedsRule)
            .remembers(0),
        Story::new("a_type_named_for_some_peers_among_all", &ingress(beside_all))
            .gets(back(message(200, 0)), Allowed)
            .gets(Ipv6::new(ROUTER, VM, message(200, 0)), IcmpNeedsRule)
            .gets(Ipv6::new(ROUTER, VM, tcp(1, 2, 2)), Allowed),
        Story::new("a_named_type_on_the_link", &both(type_200, type_200))
            .gets(Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, message(200, 0)), Allowed)
            .sends(Ipv6::new(VM_LINK_LOCAL, ALL_NODES, message(200, 0)), Allowed)
            .sends(Ipv6::new(VM_LINK_LOCAL, ALL_NODES, message(201, 0)), IcmpNeedsRule),
        Story::new("a_named_type_until_the_rule_goes", &ingress(type_200))
            .gets(back(message(200, 0)), Allowed)
            .rules(&ingress(code_1))
            .gets(back(message(200, 0)), IcmpNeedsRule)
            .gets(back(message(200, 1)), Allowed)
            .rules(NO_RULES)
            .gets(back(message(200, 1)), IcmpNeedsRule),
        Story::on("a_named_type_on_a_port_without_groups", "", "").gets(back(message(200, 0)), IcmpNeedsRule),
    ]
}

fn forbidden() -> Vec<Story> {
    let kinds = [138, 139, 140, 141, 142, 144, 147, 150, 155];
    let rules: Vec<_> = [134, 137, 130, 133]
        .into_iter()
        .chain(kinds)
        .map(|kind| format!("{{ protocol = \"icmpv6\", type = {kind}, peers = [\"::/0\"] }}"))
        .collect();
    let rules = rules.join(",\n");
    let mut story = Story::new("forbidden_types_that_rules_name", &both(&rules, &rules));
    for kind in kinds {
        story = story.gets(back(message(kind, 0)), IcmpForbidden).sends(out(message(kind, 0)), IcmpForbidden);
    }
    let advertisement = || Ipv6::new(VM_LINK_LOCAL, ALL_NODES, crate::frame::nd::ra(&[])).hops(255);
    let solicitation = || Ipv6::new(NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL, crate::frame::nd::rs(&[])).hops(255);
    vec![
        story
            .sends(advertisement(), RaFromVm)
            .sends(Ipv6::new(VM_LINK_LOCAL, ALL_NODES, icmpv6::mld2_query(UNSPECIFIED)).hops(1), MldQueryFromVm)
            .gets(solicitation(), RsToVm)
            .remembers(0),
        Story::new("forbidden_types_where_all_may_leave", &egress(r#"{ protocol = "all", peers = ["::/0"] }"#))
            .sends(out(message(139, 0)), IcmpForbidden)
            .sends(advertisement(), RaFromVm),
    ]
}
