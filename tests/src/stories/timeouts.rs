//! How long a flow is remembered without a packet, for each protocol and state.
//!
//! The kernel's clock goes on while a story runs: alive is asked well before the end, dead at it.

use ipv6_sg_common::verdict::Reason::*;

use super::tcp::{FIN_ACK, SYN_ACK};
use super::{ECHO_RULES, NO_RULES, Story, back, both, only_ingress, out};
use crate::frame::flags::{ACK, RST, SYN};
use crate::frame::{Ipv6, icmpv6, raw, sctp, tcp, udp};

/// Half a minute: longer than any story takes.
const MARGIN: u64 = 30;

/// After `lifetime` seconds without a packet an answer is none.
fn ends(story: Story, lifetime: u64, answer: &Ipv6) -> Story {
    story.seconds(lifetime).gets(answer.clone(), IngressDenied)
}

/// A little earlier it still is, and with it the time starts again.
fn lives(story: Story, lifetime: u64, answer: &Ipv6) -> Story {
    story.seconds(lifetime - MARGIN).gets(answer.clone(), Established)
}

pub(super) fn stories() -> Vec<Story> {
    [connections(), questions(), again()].concat()
}

fn connections() -> Vec<Story> {
    let asks = |flags| out(tcp(40000, 443, flags));
    let answered = |flags| back(tcp(443, 40000, flags));
    let established = |name| {
        Story::new(name, NO_RULES)
            .sends(asks(SYN), Allowed)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(ACK), Established)
    };
    let half_closed = |name| established(name).sends(asks(FIN_ACK), Established);
    let closing = |name| half_closed(name).gets(answered(FIN_ACK), Established);
    let opening = |name| Story::new(name, NO_RULES).sends(asks(SYN), Allowed);
    let days = 5 * 24 * 3600;
    vec![
        ends(opening("tcp_opening_for_four_minutes"), 240, &answered(SYN_ACK)),
        // The answer makes it a connection, which lives for days.
        lives(opening("tcp_answered_in_four_minutes"), 240, &answered(SYN_ACK))
            .seconds(3600)
            .gets(answered(ACK), Established),
        lives(lives(established("tcp_idle_for_days"), days, &answered(ACK)), days, &answered(ACK)),
        ends(established("tcp_idle_for_five_days"), days, &answered(ACK)),
        // The other side may have much to say yet.
        lives(half_closed("tcp_half_closed_for_days"), days, &answered(ACK)),
        ends(half_closed("tcp_half_closed_for_five_days"), days, &answered(ACK)),
        lives(closing("tcp_closing_within_four_minutes"), 240, &answered(FIN_ACK)),
        ends(closing("tcp_closing_for_four_minutes"), 240, &answered(FIN_ACK)),
        // Segments of the old connection keep it, and do not make it a new one.
        ends(lives(closing("tcp_closing_stays_closing"), 240, &answered(ACK)), 240, &answered(ACK)),
        established("tcp_reset_for_four_minutes")
            .gets(answered(RST), Established)
            .seconds(240)
            .gets(answered(ACK), IngressDenied),
        // Whoever goes on has reset nothing: somebody else said it.
        established("tcp_forged_reset_of_the_server")
            .gets(answered(RST), Established)
            .gets(answered(ACK), Established)
            .seconds(3600)
            .gets(answered(ACK), Established),
        // Nor has the VM been reset that goes on: it would have nothing to say.
        established("tcp_forged_reset_that_the_vm_did_not_take")
            .gets(answered(RST), Established)
            .sends(asks(ACK), Established)
            .seconds(3600)
            .gets(answered(ACK), Established),
        // What others say in the peer's name proves nothing.
        established("tcp_reset_by_the_vm_and_only_the_peer_goes_on")
            .sends(asks(RST), Established)
            .gets(answered(ACK), Established)
            .seconds(240)
            .gets(answered(ACK), IngressDenied),
        // One of the connection before, on the same ports.
        established("tcp_half_closed_and_then_used_again")
            .gets(answered(FIN_ACK), Established)
            .sends(asks(SYN), Established)
            .gets(answered(SYN_ACK), Established)
            .sends(asks(FIN_ACK), Established)
            .seconds(3600)
            .gets(answered(ACK), Established),
        established("tcp_forged_fin_of_the_server")
            .gets(answered(FIN_ACK), Established)
            .sends(asks(ACK), Established)
            .seconds(3600)
            .gets(answered(ACK), Established),
        // The client may go on, as in mid-stream.
        ends(established("tcp_idle_and_then_goes_on"), days, &answered(ACK))
            .sends(asks(ACK), Allowed)
            .gets(answered(ACK), Established),
        // A new connection on the old tuple is no closing one.
        closing("tcp_port_used_again_lives_on")
            .sends(asks(SYN), Established)
            .gets(answered(SYN_ACK), Established)
            .seconds(3600)
            .gets(answered(ACK), Established),
        // When the first is forgotten, who may connect may connect.
        Story::new(
            "tcp_tuple_of_a_forgotten_connection",
            &both(
                r#"{ protocol = "tcp", ports = "40000", peers = ["::/0"] }"#,
                r#"{ protocol = "tcp", ports = "443", peers = ["::/0"] }"#,
            ),
        )
        .sends(asks(SYN), Allowed)
        .seconds(240)
        .gets(answered(SYN), Allowed)
        .sends(asks(SYN_ACK), Established)
        .sends(asks(SYN), Allowed),
    ]
}

fn questions() -> Vec<Story> {
    let asked = |name, packet: Ipv6| Story::on(name, ECHO_RULES, NO_RULES).sends(packet, Allowed);
    let udp_answer = back(udp(53, 40000, &[]));
    let udp_asked = |name| asked(name, out(udp(40000, 53, &[])));
    let udp_answered = |name| udp_asked(name).gets(back(udp(53, 40000, &[])), Established);
    let pong = back(icmpv6::echo_reply());
    let ping = |name| asked(name, out(icmpv6::echo_request()));
    let gre = back(raw(47, vec![0; 4]));
    let tunnel = |name| asked(name, out(raw(47, vec![0; 4])));
    let sctp_back = back(sctp(9, 8));
    let association = |name| asked(name, out(sctp(8, 9)));
    vec![
        lives(udp_asked("udp_question_within_two_minutes"), 120, &udp_answer),
        ends(udp_asked("udp_question_for_two_minutes"), 120, &udp_answer),
        lives(udp_answered("udp_answered_within_five_minutes"), 300, &udp_answer),
        ends(udp_answered("udp_answered_for_five_minutes"), 300, &udp_answer),
        lives(lives(udp_answered("udp_kept_alive"), 300, &udp_answer), 300, &udp_answer),
        lives(ping("echo_within_a_minute"), 60, &pong),
        ends(ping("echo_for_a_minute"), 60, &pong),
        // Its answer makes it live no longer.
        ends(lives(ping("echo_answered_for_a_minute"), 60, &pong), 60, &pong),
        lives(tunnel("tunnel_within_ten_minutes"), 600, &gre),
        ends(tunnel("tunnel_for_ten_minutes"), 600, &gre),
        ends(lives(tunnel("tunnel_answered_for_ten_minutes"), 600, &gre), 600, &gre),
        lives(association("sctp_within_ten_minutes"), 600, &sctp_back),
        ends(association("sctp_for_ten_minutes"), 600, &sctp_back),
    ]
}

fn again() -> Vec<Story> {
    let asked = || back(udp(40000, 53, &[]));
    let serves = || out(udp(53, 40000, &[]));
    let dns = r#"{ protocol = "udp", ports = "53", peers = ["::/0"] }"#;
    vec![
        Story::new("a_flow_that_is_over_begins_again", &only_ingress(dns))
            .gets(asked(), Allowed)
            .sends(serves(), Established)
            .seconds(300)
            .sends(serves(), EgressDenied)
            .gets(asked(), Allowed)
            .sends(serves(), Established)
            .remembers(1),
        Story::new("a_flow_that_began_again_is_only_asked", &only_ingress(dns))
            .gets(asked(), Allowed)
            .sends(serves(), Established)
            .seconds(300)
            .gets(asked(), Allowed)
            .seconds(120)
            .sends(serves(), EgressDenied),
        Story::new("rules_that_change_keep_nothing_alive", &only_ingress(dns))
            .gets(asked(), Allowed)
            .seconds(60)
            .rules(&only_ingress(r#"{ protocol = "all", peers = ["::/0"] }"#))
            .seconds(60)
            .sends(serves(), EgressDenied),
    ]
}
