//! Echo, with `echo = "rules"` and without: identifiers, who asks, answers to nothing.

use ipv6_sg_common::verdict::Reason::*;

use super::{ECHO_RULES, ELSEWHERE, IN_GROUP, NO_RULES, Story, back, both, egress, ingress, only_ingress, out};
use crate::frame::{Ipv6, Upper, icmpv6};
use crate::world::*;

/// A request with this identifier and sequence number.
fn ask(identifier: u16, sequence: u16) -> Upper {
    icmpv6::message(128, 0, &[&identifier.to_be_bytes()[..], &sequence.to_be_bytes(), b"ping"].concat())
}

/// The reply to it.
fn answer(identifier: u16, sequence: u16) -> Upper {
    icmpv6::message(129, 0, &[&identifier.to_be_bytes()[..], &sequence.to_be_bytes(), b"ping"].concat())
}

const PING: &str = r#"{ protocol = "icmpv6", type = 128, peers = ["::/0"] }"#;
const PONG: &str = r#"{ protocol = "icmpv6", type = 129, peers = ["::/0"] }"#;

pub(super) fn stories() -> Vec<Story> {
    [always(), asks(), is_asked(), by_rule()].concat()
}

fn always() -> Vec<Story> {
    vec![
        Story::new("echo_always_needs_no_rule", &both(ELSEWHERE, ELSEWHERE))
            .gets(back(ask(7, 1)), Echo)
            .sends(out(answer(7, 1)), Echo)
            .sends(out(ask(7, 1)), Echo)
            .gets(back(answer(7, 1)), Echo)
            .gets(back(answer(8, 1)), Echo)
            .remembers(0),
        Story::on("echo_on_the_link_needs_no_rule", ECHO_RULES, &both(ELSEWHERE, ELSEWHERE))
            .sends(Ipv6::new(VM_LINK_LOCAL, ROUTER_LINK_LOCAL, ask(7, 1)), Echo)
            .gets(Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, answer(7, 1)), Echo)
            .gets(Ipv6::new(NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL, ask(7, 1)), Echo)
            .sends(Ipv6::new(VM, ALL_NODES, ask(7, 1)), Echo)
            .remembers(0),
        Story::new("echo_becomes_a_matter_of_rules", NO_RULES)
            .gets(back(ask(7, 1)), Echo)
            .port(ECHO_RULES, NO_RULES)
            .gets(back(ask(7, 2)), IngressDenied)
            .sends(out(ask(7, 1)), Allowed)
            .port(IN_GROUP, NO_RULES)
            .gets(back(ask(7, 3)), Echo),
        // Without groups there is no rule that could ever allow it.
        Story::on("echo_by_rules_without_groups", "echo = \"rules\"", "")
            .gets(back(ask(7, 1)), Echo)
            .sends(out(ask(7, 1)), Echo)
            .remembers(0),
    ]
}

fn asks() -> Vec<Story> {
    vec![
        Story::on("echo_of_the_vm", ECHO_RULES, NO_RULES)
            .gets(back(answer(7, 1)), IngressDenied)
            .sends(out(ask(7, 1)), Allowed)
            .gets(back(answer(7, 1)), Established)
            .sends(out(ask(7, 2)), Established)
            .gets(back(answer(7, 2)), Established)
            .remembers(1),
        Story::on("echo_replies_with_another_identifier", ECHO_RULES, NO_RULES)
            .sends(out(ask(7, 1)), Allowed)
            .gets(back(answer(8, 1)), IngressDenied)
            .gets(Ipv6::new(ROUTER, VM, answer(7, 1)), IngressDenied)
            .gets(back(answer(7, 1)), Established),
        Story::on("echo_a_peer_may_not_ask_on_the_vms_identifier", ECHO_RULES, NO_RULES)
            .sends(out(ask(7, 1)), Allowed)
            .gets(back(ask(7, 1)), IngressDenied)
            .gets(back(answer(7, 1)), Established)
            .gets(back(ask(7, 1)), IngressDenied)
            .remembers(1),
        Story::on("echo_of_a_group_is_answered_by_others", ECHO_RULES, NO_RULES)
            .sends(Ipv6::new(VM, WIDE_GROUP, ask(7, 1)), Allowed)
            .gets(back(answer(7, 1)), IngressDenied),
        Story::on("echo_denied_out", ECHO_RULES, &egress(ELSEWHERE))
            .sends(out(ask(7, 1)), EgressDenied)
            .gets(back(answer(7, 1)), IngressDenied)
            .remembers(0),
    ]
}

fn is_asked() -> Vec<Story> {
    vec![
        Story::on("echo_of_a_peer", ECHO_RULES, &only_ingress(PING))
            .sends(out(answer(7, 1)), EgressDenied)
            .gets(back(ask(7, 1)), Allowed)
            .sends(out(answer(7, 1)), Established)
            .gets(back(ask(7, 2)), Established)
            .sends(out(answer(8, 1)), EgressDenied)
            .sends(out(ask(7, 1)), EgressDenied)
            .remembers(1),
        Story::on("echo_replies_that_nobody_asked_for_open_nothing", ECHO_RULES, NO_RULES)
            .sends(out(answer(7, 1)), Allowed)
            .sends(out(answer(7, 1)), Allowed)
            .gets(back(ask(7, 1)), IngressDenied)
            .gets(back(answer(7, 1)), IngressDenied)
            .remembers(0),
        Story::on("echo_both_ask_with_one_identifier", ECHO_RULES, &ingress(PING))
            .sends(out(ask(7, 1)), Allowed)
            .gets(back(ask(7, 1)), Allowed)
            .gets(back(answer(7, 1)), Established)
            .sends(out(answer(7, 1)), Established)
            .remembers(2),
    ]
}

fn by_rule() -> Vec<Story> {
    vec![
        Story::on(
            "echo_of_the_peers_that_a_rule_names",
            ECHO_RULES,
            &ingress(r#"{ protocol = "icmpv6", type = 128, code = 0, peers = ["2a00::/16"] }"#),
        )
        .gets(back(ask(7, 1)), Allowed)
        .gets(back(ask(8, 1).code(1)), IngressDenied)
        .gets(Ipv6::new(ROUTER, VM, ask(7, 1)), IngressDenied),
        // A request of another code is answered by nobody, and so is no flow.
        Story::on("echo_of_another_code_is_a_message_of_its_own", ECHO_RULES, &only_ingress(PING))
            .gets(back(ask(7, 1).code(1)), Allowed)
            .gets(back(ask(7, 1).code(1)), Allowed)
            .sends(out(answer(7, 1)), EgressDenied)
            .sends(out(answer(7, 1).code(1)), EgressDenied)
            .remembers(0),
        Story::on("echo_replies_by_rule", ECHO_RULES, &only_ingress(PONG))
            .gets(back(answer(7, 1)), Allowed)
            .gets(back(ask(7, 1)), IngressDenied)
            .sends(out(ask(7, 1)), EgressDenied)
            .remembers(0),
        Story::on(
            "echo_by_a_rule_for_all_icmpv6",
            ECHO_RULES,
            &only_ingress(r#"{ protocol = "icmpv6", peers = ["::/0"] }"#),
        )
        .gets(back(ask(7, 1)), Allowed)
        .sends(out(answer(7, 1)), Established)
        .gets(back(answer(9, 1)), Allowed),
        Story::on(
            "echo_by_a_rule_for_everything",
            ECHO_RULES,
            &only_ingress(r#"{ protocol = "all", peers = ["::/0"] }"#),
        )
        .gets(back(ask(7, 1)), Allowed)
        .sends(out(answer(7, 1)), Established),
    ]
}
