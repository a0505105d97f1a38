//! Fragments on a port with rules: the first is judged and the others keep it company, as long as the rules allow it.

use ipv6_sg_common::verdict::Reason::*;

use super::{ECHO_RULES, ELSEWHERE, IN_GROUP, NO_RULES, Story, back, both, egress, ingress, only_ingress, out};
use crate::frame::extension::fragment;
use crate::frame::{Ipv6, Upper, icmpv6, raw, tcp, udp};
use crate::world::*;

/// A datagram of 48 bytes behind its header, cut in three, and the identification of what it is cut of.
fn pieces(packet: &Ipv6, identification: u32) -> [Ipv6; 3] {
    packet.fragments(identification, &[24, 16]).try_into().expect("three")
}

fn datagram(from: u16, to: u16) -> Upper {
    udp(from, to, &[0x5a; 48])
}

const DNS: &str = r#"{ protocol = "udp", ports = "53", peers = ["::/0"] }"#;
const NTP: &str = r#"{ protocol = "udp", ports = "123", peers = ["::/0"] }"#;

pub(super) fn stories() -> Vec<Story> {
    [judged(), revoked(), kept()].concat()
}

fn judged() -> Vec<Story> {
    let query = out(datagram(40000, 53));
    let answer = back(datagram(53, 40000));
    let [first, second, third] = pieces(&query, 1);
    let [answer_first, answer_second, answer_third] = pieces(&answer, 1);
    let [again, again_second, _] = pieces(&query, 2);
    let asked = back(datagram(40000, 53));
    let [asked_first, asked_second, asked_third] = pieces(&asked, 3);
    let segment = |identification| out(raw(6, vec![0; 24])).ext(fragment(identification, 24, false));
    vec![
        Story::new("fragments_of_a_new_flow", NO_RULES)
            .sends(first.clone(), Allowed)
            .sends(second.clone(), Fragment)
            .sends(third.clone(), Fragment)
            .remembers(1),
        Story::new("fragments_of_an_established_flow", NO_RULES)
            .sends(first.clone(), Allowed)
            .sends(third, Fragment)
            .gets(answer_first.clone(), Established)
            .gets(answer_second.clone(), Fragment)
            .gets(answer_third, Fragment)
            .sends(again, Established)
            .sends(again_second, Fragment)
            .remembers(1),
        Story::new("fragments_that_nothing_allows", NO_RULES)
            .gets(answer_first.clone(), IngressDenied)
            .gets(answer_second.clone(), FragmentUnknown)
            // Nor does the flow help those whose first died before it was.
            .sends(query, Allowed)
            .gets(answer_second.clone(), FragmentUnknown)
            .gets(answer_first, Established)
            .gets(answer_second, Fragment),
        Story::new("fragments_that_may_not_leave", &egress(ELSEWHERE))
            .sends(first.clone(), EgressDenied)
            .sends(second.clone(), FragmentUnknown)
            .remembers(0),
        Story::new("fragments_that_a_rule_lets_in", &only_ingress(DNS))
            .gets(asked_first.clone(), Allowed)
            .gets(asked_second.clone(), Fragment)
            .sends(second.clone(), FragmentUnknown)
            .gets(asked_third, Fragment),
        Story::new("fragments_of_one_way_are_none_of_the_other", NO_RULES)
            .sends(first.clone(), Allowed)
            .gets(back(raw(17, vec![0; 16])).ext(fragment(1, 24, true)), FragmentUnknown),
        Story::new("fragments_over_each_other", NO_RULES)
            .sends(first, Allowed)
            .sends(out(raw(17, vec![0; 16])).ext(fragment(1, 16, true)), FragmentOverlap)
            .sends(second, Fragment),
        Story::new("fragments_of_tcp", NO_RULES)
            .sends(out(tcp(40000, 443, 2).data(&[0; 4])).ext(fragment(4, 0, true)), Allowed)
            .sends(segment(4), Fragment)
            .sends(segment(5), FragmentUnknown)
            .gets(back(tcp(443, 40000, 0x12)), Established),
        Story::new("fragments_in_sixty_seconds", &only_ingress(DNS))
            .gets(asked_first, Allowed)
            .seconds(60)
            .gets(asked_second, FragmentUnknown),
    ]
}

/// The rules change between the first fragment and the others.
fn revoked() -> Vec<Story> {
    let [first, second, third] = pieces(&back(datagram(40000, 53)), 1);
    let [out_first, out_second, _] = pieces(&out(datagram(40000, 53)), 1);
    let [echo, echo_rest, _] = pieces(&back(icmpv6::message(128, 0, &[0; 52])), 2);
    let [named, named_rest, _] = pieces(&back(icmpv6::message(200, 0, &[0; 52])), 3);
    let [single, single_rest, _] = pieces(&back(icmpv6::message(128, 7, &[0; 52])), 4);
    let all_icmpv6 = r#"{ protocol = "icmpv6", peers = ["::/0"] }"#;
    let [old, old_second, _] = pieces(&back(datagram(40000, 53)), 9);
    let [ntp, ..] = pieces(&back(datagram(40000, 123)), 9);
    let [ping, ..] = pieces(&back(icmpv6::message(128, 0, &[0; 52])), 9);
    let both_services = format!("{DNS}, {NTP}");
    vec![
        // Another first fragment of the same identification, that is allowed, makes nothing of the others.
        Story::new("later_fragments_that_an_echo_would_carry", &only_ingress(DNS))
            .gets(old.clone(), Allowed)
            .rules(NO_RULES)
            .gets(old_second.clone(), IngressDenied)
            .gets(ping, Echo)
            .gets(old_second.clone(), IngressDenied),
        Story::new("later_fragments_that_another_service_would_carry", &only_ingress(&both_services))
            .gets(old, Allowed)
            .rules(&only_ingress(NTP))
            .gets(ntp, Allowed)
            .gets(old_second, IngressDenied),
        Story::new("a_rule_goes_between_two_fragments", &ingress(DNS))
            .gets(first.clone(), Allowed)
            .gets(second.clone(), Fragment)
            .rules(NO_RULES)
            .gets(third.clone(), IngressDenied)
            .gets(second.clone(), IngressDenied)
            .rules(&ingress(DNS))
            .gets(third.clone(), Fragment),
        Story::new("an_egress_rule_comes_between_two_fragments", NO_RULES)
            .sends(out_first, Allowed)
            .rules(&egress(ELSEWHERE))
            .sends(out_second.clone(), EgressDenied)
            .rules(&egress(DNS))
            .sends(out_second, Fragment),
        Story::new("rules_change_and_still_allow_the_fragments", &ingress(DNS))
            .gets(first.clone(), Allowed)
            .rules(&both(r#"{ protocol = "all", peers = ["2a00::/16"] }"#, ELSEWHERE))
            .gets(second.clone(), Fragment)
            .rules(&ingress(DNS))
            .gets(third.clone(), Fragment),
        Story::on("a_port_gets_rules_between_fragments", "", NO_RULES)
            .gets(first.clone(), Traffic)
            .gets(second.clone(), Fragment)
            .port(IN_GROUP, NO_RULES)
            .gets(third.clone(), IngressDenied)
            .port(IN_GROUP, &ingress(DNS))
            .gets(third.clone(), Fragment),
        // The first was the answer in a flow that the VM opened.
        Story::new("the_flow_of_fragments_is_cut", NO_RULES)
            .sends(out(udp(53, 40000, &[])), Allowed)
            .gets(first.clone(), Established)
            .gets(second.clone(), Fragment)
            .rules(&egress(ELSEWHERE))
            .gets(third.clone(), IngressDenied),
        Story::new("the_flow_of_fragments_stays", NO_RULES)
            .sends(out(udp(53, 40000, &[])), Allowed)
            .gets(first, Established)
            .rules(&egress(r#"{ protocol = "udp", ports = "40000", peers = ["2a00::/16"] }"#))
            .gets(second, Fragment)
            .gets(third, Fragment),
        Story::on("a_rule_goes_between_fragments_of_echo", ECHO_RULES, &ingress(all_icmpv6))
            .gets(echo.clone(), Allowed)
            .gets(echo_rest.clone(), Fragment)
            .port(ECHO_RULES, NO_RULES)
            .gets(echo_rest.clone(), IngressDenied),
        Story::on("a_rule_goes_between_fragments_of_a_message", ECHO_RULES, &ingress(all_icmpv6))
            .gets(single, Allowed)
            .gets(single_rest.clone(), Fragment)
            .port(ECHO_RULES, NO_RULES)
            .gets(single_rest, IngressDenied),
        Story::new(
            "a_rule_goes_between_fragments_of_a_named_type",
            &ingress(r#"{ protocol = "icmpv6", type = 200, peers = ["::/0"] }"#),
        )
        .gets(named, Allowed)
        .gets(named_rest.clone(), Fragment)
        .rules(&ingress(all_icmpv6))
        .gets(named_rest, IcmpNeedsRule),
        // What passes without a rule needs none for its later fragments.
        Story::new("rules_change_between_fragments_of_what_needs_none", &ingress(DNS))
            .gets(echo, Echo)
            .rules(NO_RULES)
            .gets(echo_rest, Fragment),
    ]
}

/// What a fragment may not do to what is remembered.
fn kept() -> Vec<Story> {
    let [first, second, third] = pieces(&back(datagram(40000, 53)), 1);
    let [other, ..] = pieces(&back(datagram(40000, 54)), 1);
    vec![
        // The same identification, for another port: it dies, and what is remembered is the first one's.
        Story::new("a_first_fragment_that_is_denied_changes_nothing", &ingress(DNS))
            .gets(first.clone(), Allowed)
            .gets(other, IngressDenied)
            .gets(second, Fragment),
        Story::new("a_later_fragment_before_the_first", &ingress(DNS))
            .gets(third.clone(), FragmentUnknown)
            .gets(first, Allowed)
            .gets(third.from(ROUTER), FragmentUnknown),
    ]
}
