//! Who opened a connection decides whose rules it lives by: those who would like to have it another way.

use ipv6_sg_common::verdict::Reason::*;

use super::tcp::{FIN_ACK, SYN_ACK};
use super::{NO_RULES, Story, back, both, ingress, only_ingress, out};
use crate::frame::flags::{ACK, RST, SYN};
use crate::frame::{Ipv6, tcp};

/// Secure shell from everybody.
const SSH: &str = r#"{ protocol = "tcp", ports = "22", peers = ["::/0"] }"#;
/// Web servers everywhere.
const HTTPS: &str = r#"{ protocol = "tcp", ports = "443", peers = ["::/0"] }"#;

pub(super) fn stories() -> Vec<Story> {
    [revoked(), guessed(), same_moment(), taken_over()].concat()
}

/// The stranger's segments to the VM's secure shell.
fn asked(flags: u8) -> Ipv6 {
    back(tcp(40000, 22, flags))
}

/// Its answers.
fn serves(flags: u8) -> Ipv6 {
    out(tcp(22, 40000, flags))
}

/// What the VM asks a web server from the port that it serves on.
fn asks(flags: u8) -> Ipv6 {
    out(tcp(22, 443, flags))
}

/// The answers.
fn answered(flags: u8) -> Ipv6 {
    back(tcp(443, 22, flags))
}

/// Who was cut waits, or lets time run that he made short before.
fn revoked() -> Vec<Story> {
    vec![
        Story::new("a_reset_before_the_rule_goes_makes_nothing_shorter", &ingress(SSH))
            .gets(asked(SYN), Allowed)
            .sends(serves(SYN_ACK), Established)
            .gets(asked(ACK), Established)
            .gets(asked(RST), Established)
            .rules(NO_RULES)
            .gets(asked(ACK), IngressDenied)
            .sends(serves(ACK), Allowed)
            .seconds(240)
            .sends(serves(ACK), Allowed)
            .gets(asked(ACK), IngressDenied)
            .remembers(1),
        Story::new("a_cut_connection_that_is_over_opens_no_new_one", &ingress(SSH))
            .gets(asked(SYN), Allowed)
            .sends(serves(SYN_ACK), Established)
            .gets(asked(RST), Established)
            .rules(NO_RULES)
            .seconds(240)
            .sends(serves(ACK), Allowed)
            .gets(asked(SYN), IngressDenied)
            .sends(serves(SYN_ACK), Allowed)
            .gets(asked(ACK), IngressDenied),
        Story::new("a_connection_idle_for_five_days_is_still_its_openers", &ingress(SSH))
            .gets(asked(SYN), Allowed)
            .sends(serves(SYN_ACK), Established)
            .rules(NO_RULES)
            .seconds(5 * 24 * 3600)
            .sends(serves(ACK), Allowed)
            .gets(asked(ACK), IngressDenied)
            .gets(asked(SYN), IngressDenied)
            .rules(&ingress(SSH))
            .sends(serves(ACK), Allowed)
            .gets(asked(ACK), Established),
        Story::new("a_connection_of_the_vm_that_it_reset_before_its_rule_goes", &both(SSH, HTTPS))
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(RST), Established)
            .gets(answered(ACK), Established)
            .rules(&only_ingress(SSH))
            .sends(asks(ACK), EgressDenied)
            .seconds(240)
            .gets(answered(ACK), Allowed)
            .sends(asks(ACK), EgressDenied),
        Story::new("a_connection_that_the_vm_reset_stays_its_own", &both(SSH, HTTPS))
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(RST), Established)
            .seconds(240)
            .sends(asks(ACK), Allowed)
            .gets(answered(ACK), Established)
            .rules(&only_ingress(SSH))
            .sends(asks(ACK), EgressDenied)
            .gets(answered(ACK), Allowed),
    ]
}

/// A segment says who cannot have opened what it belongs to.
fn guessed() -> Vec<Story> {
    vec![
        Story::new("who_answers_a_syn_did_not_open", NO_RULES)
            .sends(serves(SYN_ACK), Allowed)
            .gets(asked(ACK), IngressDenied)
            .remembers(0),
        Story::new("who_answers_a_syn_leaves_the_connection_to_the_peer", &ingress(SSH))
            .sends(serves(SYN_ACK), Allowed)
            .gets(asked(ACK), Established)
            .rules(NO_RULES)
            .gets(asked(ACK), IngressDenied),
        Story::new("whom_a_peer_answers_opened", &both(SSH, HTTPS))
            .gets(answered(SYN_ACK), Allowed)
            .sends(asks(ACK), Established)
            .rules(&only_ingress(SSH))
            .sends(asks(ACK), EgressDenied),
        Story::new("a_reset_of_nothing_opens_nothing", NO_RULES)
            .sends(serves(RST), Allowed)
            .gets(asked(ACK), IngressDenied)
            .remembers(0),
    ]
}

/// Simultaneous open (RFC 9293 section 3.5), of which one half is made up.
fn same_moment() -> Vec<Story> {
    vec![
        Story::new("a_syn_after_a_segment_of_the_vm", NO_RULES)
            .sends(serves(ACK), Allowed)
            .gets(asked(SYN), IngressDenied)
            .gets(asked(ACK), Established),
        Story::new("a_syn_after_a_fin_of_the_vm", NO_RULES)
            .sends(serves(FIN_ACK), Allowed)
            .gets(asked(SYN), IngressDenied),
        Story::new("a_syn_after_the_vm_began_and_broke_off", NO_RULES)
            .sends(serves(SYN), Allowed)
            .sends(serves(RST), Established)
            .gets(asked(SYN), IngressDenied),
        Story::new("a_syn_forged_for_whom_the_vm_may_not_reach", &both(SSH, HTTPS))
            .sends(out(tcp(22, 80, SYN)), EgressDenied)
            .gets(back(tcp(80, 22, SYN)), Allowed)
            .sends(out(tcp(22, 80, SYN)), EgressDenied)
            .sends(out(tcp(22, 80, SYN_ACK)), Established),
        Story::new("a_segment_forged_for_whom_the_vm_may_not_reach", &both(SSH, HTTPS))
            .gets(back(tcp(80, 22, ACK)), Allowed)
            .sends(out(tcp(22, 80, SYN)), EgressDenied)
            .gets(back(tcp(80, 22, RST)), Established)
            .sends(out(tcp(22, 80, SYN)), EgressDenied),
    ]
}

/// A SYN of the other side, forged or not, on a connection that is alive.
fn taken_over() -> Vec<Story> {
    vec![
        Story::new(
            "a_forged_syn_takes_no_connection_from_the_vm",
            &ingress(r#"{ protocol = "tcp", peers = ["::/0"] }"#),
        )
        .sends(asks(SYN), Allowed)
        .gets(answered(SYN_ACK), Established)
        .gets(answered(SYN), Allowed)
        .sends(asks(ACK), Established)
        .rules(NO_RULES)
        .gets(answered(ACK), Established)
        .sends(asks(ACK), Established),
        Story::new("a_forged_syn_makes_no_connection_the_peers", &both(SSH, HTTPS))
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .gets(answered(SYN), Allowed)
            .sends(asks(SYN_ACK), Established)
            .gets(answered(ACK), Established)
            .rules(&only_ingress(SSH))
            .sends(asks(ACK), EgressDenied),
        // Nor with a RST before it, which the VM did not take.
        Story::new(
            "a_forged_reset_and_syn_take_no_connection_from_the_vm",
            &ingress(r#"{ protocol = "tcp", peers = ["::/0"] }"#),
        )
        .sends(asks(SYN), Allowed)
        .gets(answered(SYN_ACK), Established)
        .gets(answered(RST), Established)
        .gets(answered(SYN), Allowed)
        .rules(NO_RULES)
        .gets(answered(ACK), Established)
        .sends(asks(ACK), Established),
        Story::new("a_forged_reset_and_syn_make_no_connection_the_peers", &both(SSH, HTTPS))
            .sends(asks(SYN), Allowed)
            .gets(answered(RST), Established)
            .gets(answered(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(ACK), Established)
            .rules(&only_ingress(SSH))
            .sends(asks(ACK), EgressDenied),
        Story::new("a_connection_that_the_vm_reset_leaves_its_ports_to_whom_a_rule_allows", &both(SSH, HTTPS))
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(RST), Established)
            .gets(answered(SYN), Allowed)
            .rules(&only_ingress(SSH))
            .sends(asks(SYN_ACK), Established),
        Story::new("a_syn_of_the_vm_makes_no_connection_its_own", &ingress(SSH))
            .gets(asked(SYN), Allowed)
            .sends(serves(SYN_ACK), Established)
            .sends(serves(SYN), Allowed)
            .gets(asked(ACK), Established)
            .rules(NO_RULES)
            .gets(asked(ACK), IngressDenied),
        Story::new("a_connection_that_is_over_leaves_its_ports_to_whom_a_rule_allows", &both(SSH, HTTPS))
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(FIN_ACK), Established)
            .gets(answered(FIN_ACK), Established)
            .gets(answered(SYN), Allowed)
            .sends(asks(SYN_ACK), Established)
            .rules(&only_ingress(SSH))
            .gets(answered(ACK), Established)
            .sends(asks(ACK), Established)
            .remembers(1),
    ]
}
