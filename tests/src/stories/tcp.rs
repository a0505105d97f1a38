//! TCP connections, from their first segment to their last, and those who would like to look like a part of one.

use ipv6_sg_common::verdict::Reason::*;

use super::{NO_RULES, Story, back, both, ingress, only_ingress, out};
use crate::frame::flags::{ACK, FIN, RST, SYN};
use crate::frame::{Ipv6, tcp};
use crate::world::*;

pub(super) const SYN_ACK: u8 = SYN | ACK;
const PUSH_ACK: u8 = 0x08 | ACK;
pub(super) const FIN_ACK: u8 = FIN | ACK;
const RST_ACK: u8 = RST | ACK;
/// A SYN of who would like explicit congestion notification (RFC 3168).
const SYN_ECN: u8 = 0xc0 | SYN;

/// Secure shell from everybody.
const SSH: &str = r#"{ protocol = "tcp", ports = "22", peers = ["::/0"] }"#;

pub(super) fn stories() -> Vec<Story> {
    [whole(), mid_stream(), reuse(), strays()].concat()
}

/// The VM is the client: its port 40000, the stranger's 443.
fn asks(flags: u8) -> Ipv6 {
    out(tcp(40000, 443, flags))
}

/// The stranger's segments to it.
fn answered(flags: u8) -> Ipv6 {
    back(tcp(443, 40000, flags))
}

/// The VM is the server, at port 22, of the stranger's port 40000.
fn serves(flags: u8) -> Ipv6 {
    out(tcp(22, 40000, flags))
}

/// The stranger's segments to it.
fn asked(flags: u8) -> Ipv6 {
    back(tcp(40000, 22, flags))
}

fn whole() -> Vec<Story> {
    vec![
        Story::new("tcp_client", NO_RULES)
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(ACK), Established)
            .sends(asks(PUSH_ACK), Established)
            .gets(answered(PUSH_ACK), Established)
            .sends(asks(FIN_ACK), Established)
            .gets(answered(ACK), Established)
            .gets(answered(FIN_ACK), Established)
            .sends(asks(ACK), Established)
            .remembers(1),
        Story::new("tcp_server_that_may_send_nothing_else", &only_ingress(SSH))
            .gets(asked(SYN), Allowed)
            .sends(serves(SYN_ACK), Established)
            .gets(asked(ACK), Established)
            .sends(serves(PUSH_ACK), Established)
            .gets(asked(FIN_ACK), Established)
            .sends(serves(FIN_ACK), Established)
            .gets(asked(ACK), Established)
            .sends(out(tcp(22, 40001, SYN_ACK)), EgressDenied)
            .sends(out(tcp(23, 40000, SYN_ACK)), EgressDenied)
            .remembers(1),
        Story::new("tcp_refused", NO_RULES)
            .sends(asks(SYN), Allowed)
            .gets(answered(RST_ACK), Established)
            .sends(asks(SYN), Established)
            .gets(answered(SYN_ACK), Established),
        Story::new("tcp_refuses", &only_ingress(SSH)).gets(asked(SYN), Allowed).sends(serves(RST_ACK), Established),
        Story::new("tcp_reset_in_the_middle", NO_RULES)
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(RST), Established)
            .gets(answered(PUSH_ACK), Established)
            .sends(asks(RST), Established),
        Story::new("tcp_syn_again", NO_RULES)
            .sends(asks(SYN), Allowed)
            .sends(asks(SYN), Established)
            .gets(answered(SYN_ACK), Established)
            .gets(answered(SYN_ACK), Established),
        Story::new("tcp_with_ecn", NO_RULES)
            .sends(asks(SYN_ECN), Allowed)
            .gets(answered(0x52), Established)
            .gets(answered(SYN_ECN), IngressDenied),
        Story::new("tcp_simultaneous_open", NO_RULES)
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN), Established)
            .sends(asks(SYN_ACK), Established)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(ACK), Established),
        Story::new("tcp_flows_of_many_tuples", NO_RULES)
            .sends(asks(SYN), Allowed)
            .sends(out(tcp(40001, 443, SYN)), Allowed)
            .sends(out(tcp(40000, 444, SYN)), Allowed)
            .sends(Ipv6::new(VM, ROUTER, tcp(40000, 443, SYN)), Allowed)
            .gets(Ipv6::new(NEIGHBOUR, VM, tcp(443, 40000, SYN_ACK)), IngressDenied)
            .gets(back(tcp(444, 40001, SYN_ACK)), IngressDenied)
            .gets(Ipv6::new(ROUTER, VM, tcp(443, 40000, SYN_ACK)), Established)
            .remembers(4),
    ]
}

/// The daemon started, or the VM was migrated here, when connections had long been open.
fn mid_stream() -> Vec<Story> {
    vec![
        Story::new("tcp_mid_stream_of_a_client", NO_RULES)
            .gets(answered(PUSH_ACK), IngressDenied)
            .sends(asks(ACK), Allowed)
            .gets(answered(PUSH_ACK), Established)
            .sends(asks(ACK), Established),
        Story::new("tcp_mid_stream_of_a_server", &only_ingress(SSH))
            .sends(serves(PUSH_ACK), EgressDenied)
            .gets(asked(ACK), Allowed)
            .sends(serves(PUSH_ACK), Established),
        Story::new("tcp_mid_stream_of_a_server_that_may_send_everything", &ingress(SSH))
            .sends(serves(PUSH_ACK), Allowed)
            .gets(asked(ACK), Established),
        // It is the peer's, whose connection the rules allow, not the server's, who spoke first.
        Story::new("tcp_mid_stream_of_a_server_goes_with_the_peers_rule", &ingress(SSH))
            .sends(serves(PUSH_ACK), Allowed)
            .gets(asked(ACK), Established)
            .sends(serves(PUSH_ACK), Established)
            .rules(NO_RULES)
            .gets(asked(ACK), IngressDenied)
            .sends(serves(PUSH_ACK), Allowed)
            .gets(asked(ACK), IngressDenied)
            .rules(&ingress(SSH))
            .gets(asked(ACK), Established)
            .remembers(1),
        Story::new(
            "tcp_mid_stream_of_a_server_survives_egress_rules",
            &both(SSH, r#"{ protocol = "tcp", peers = ["::/0"] }"#),
        )
        .sends(serves(PUSH_ACK), Allowed)
        .rules(&only_ingress(SSH))
        .gets(asked(ACK), Established)
        .sends(serves(PUSH_ACK), Established),
        // Before the peer has spoken nobody knows that there is a connection.
        Story::new(
            "tcp_mid_stream_that_no_peer_ever_answered",
            &both(SSH, r#"{ protocol = "tcp", peers = ["::/0"] }"#),
        )
        .sends(serves(PUSH_ACK), Allowed)
        .sends(serves(PUSH_ACK), Established)
        .rules(&only_ingress(SSH))
        .sends(serves(PUSH_ACK), EgressDenied)
        .sends(serves(PUSH_ACK), EgressDenied)
        .gets(asked(ACK), Established)
        .sends(serves(PUSH_ACK), Established)
        .remembers(1),
        Story::new("tcp_mid_stream_that_its_peer_answers_too_late", &ingress(SSH))
            .sends(serves(PUSH_ACK), Allowed)
            .rules(NO_RULES)
            .sends(serves(PUSH_ACK), Allowed)
            .gets(asked(ACK), IngressDenied)
            .rules(&ingress(r#"{ protocol = "tcp", ports = "23", peers = ["::/0"] }"#))
            .sends(serves(PUSH_ACK), Allowed)
            .gets(asked(ACK), IngressDenied)
            .remembers(1),
        Story::new("tcp_mid_stream_that_every_change_allows", &ingress(SSH))
            .sends(serves(PUSH_ACK), Allowed)
            .rules(&both(SSH, r#"{ protocol = "tcp", peers = ["::/0"] }"#))
            .sends(serves(PUSH_ACK), Allowed)
            .gets(asked(ACK), Established)
            .rules(&ingress(SSH))
            .sends(serves(PUSH_ACK), Established),
        Story::new("tcp_mid_stream_of_a_client_of_a_vm_that_serves_others", &ingress(SSH))
            .sends(asks(ACK), Allowed)
            .rules(NO_RULES)
            .gets(answered(ACK), Established)
            .sends(asks(ACK), Established),
        // Nobody connects by way of a connection that he never took part in.
        Story::new("tcp_mid_stream_of_a_server_that_then_connects", &ingress(SSH))
            .sends(serves(PUSH_ACK), Allowed)
            .sends(serves(SYN), Allowed)
            .rules(NO_RULES)
            .gets(asked(SYN_ACK), Established)
            .gets(asked(SYN), IngressDenied),
        Story::new("tcp_a_syn_is_its_senders_whatever_the_peer_may", &ingress(SSH))
            .sends(serves(SYN), Allowed)
            .rules(NO_RULES)
            .gets(asked(SYN_ACK), Established),
        Story::new("tcp_mid_stream_at_its_end", &only_ingress(SSH))
            .gets(asked(FIN_ACK), Allowed)
            .sends(serves(FIN_ACK), Established)
            .gets(asked(ACK), Established),
        Story::new("tcp_mid_stream_reset", &only_ingress(SSH))
            .gets(asked(RST), Allowed)
            .sends(serves(RST_ACK), EgressDenied)
            .remembers(0),
    ]
}

/// The same addresses and ports again.
fn reuse() -> Vec<Story> {
    let opened = |name| {
        Story::new(name, NO_RULES)
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(ACK), Established)
    };
    vec![
        opened("tcp_the_server_may_not_connect_back")
            .gets(answered(SYN), IngressDenied)
            .sends(asks(ACK), Established)
            .gets(answered(ACK), Established)
            .remembers(1),
        opened("tcp_the_server_may_not_connect_back_after_the_end")
            .sends(asks(FIN_ACK), Established)
            .gets(answered(FIN_ACK), Established)
            .sends(asks(ACK), Established)
            .gets(answered(SYN), IngressDenied)
            .gets(answered(SYN), IngressDenied),
        opened("tcp_the_server_may_not_connect_back_after_its_reset")
            .gets(answered(RST), Established)
            .gets(answered(SYN), IngressDenied),
        // Not every receiver throws away a SYN that is a FIN too.
        opened("tcp_the_server_may_not_connect_back_with_a_fin")
            .gets(answered(SYN | 0x01), IngressDenied)
            .sends(asks(FIN_ACK), Established)
            .gets(answered(SYN | 0x01), IngressDenied),
        opened("tcp_a_client_may_use_its_port_again")
            .sends(asks(FIN_ACK), Established)
            .gets(answered(FIN_ACK), Established)
            .sends(asks(SYN), Established)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(ACK), Established)
            .gets(answered(SYN), IngressDenied)
            .remembers(1),
        Story::new(
            "tcp_a_peer_that_a_rule_allows_may_connect_back",
            &both(
                r#"{ protocol = "tcp", ports = "40000", peers = ["::/0"] }"#,
                r#"{ protocol = "tcp", ports = "443", peers = ["::/0"] }"#,
            ),
        )
        .sends(asks(SYN), Allowed)
        .gets(answered(SYN_ACK), Established)
        .sends(asks(ACK), Established)
        .gets(answered(SYN), Allowed)
        .sends(asks(SYN_ACK), Established)
        .gets(answered(ACK), Established)
        // It stays what it was: whose turns that would be otherwise is for nobody to choose.
        .gets(answered(SYN), Allowed)
        .sends(asks(SYN), Established)
        .remembers(1),
        Story::new("tcp_a_server_may_not_connect_from_its_port", &only_ingress(SSH))
            .gets(asked(SYN), Allowed)
            .sends(serves(SYN_ACK), Established)
            .sends(serves(SYN), EgressDenied)
            .gets(asked(FIN_ACK), Established)
            .sends(serves(SYN), EgressDenied)
            .gets(asked(SYN), Established),
        Story::new("tcp_an_answer_to_a_peers_syn_is_no_opening", &only_ingress(SSH))
            .gets(asked(SYN), Allowed)
            .sends(serves(SYN), EgressDenied)
            .sends(serves(SYN_ACK), Established)
            .gets(asked(ACK), Established)
            .sends(serves(SYN), EgressDenied),
    ]
}

/// Segments of no connection.
fn strays() -> Vec<Story> {
    let mut denied = Story::new("tcp_strays_are_judged_by_the_rules_and_denied", NO_RULES);
    let mut allowed = Story::new("tcp_strays_are_judged_by_the_rules_and_allowed", &only_ingress(SSH));
    for (flags, port) in
        [0, SYN, SYN_ACK, ACK, PUSH_ACK, FIN_ACK, RST, RST_ACK, 0x01, 0x3f, 0xff].into_iter().zip(1000..)
    {
        denied = denied.gets(back(tcp(port, 22, flags)), IngressDenied);
        // What ends a connection, or answers one that the VM may not have opened, opens none.
        let opens = flags & RST == 0 && flags & SYN_ACK != SYN_ACK;
        let answer = if opens { Established } else { EgressDenied };
        allowed = allowed.gets(back(tcp(port, 22, flags)), Allowed).sends(out(tcp(22, port, RST)), answer);
    }
    vec![denied.remembers(0), allowed.remembers(6)]
}
