//! Security-group rules, as far as frames of one direction can show them; the rest is in the stories.

use ipv6_sg_common::verdict::Reason::*;

use super::{Case, Section as S, from_vm, to_vm};
use crate::frame::{Ipv6, Upper, icmpv6, raw, sctp, tcp, udp};
use crate::world::*;

pub(super) fn cases() -> Vec<Case> {
    [ingress(), egress(), echo(), types()].concat()
}

/// From a stranger to the VM.
fn inwards(upper: Upper) -> Ipv6 {
    Ipv6::new(STRANGER, VM, upper)
}

/// From the VM to a stranger.
fn outwards(upper: Upper) -> Ipv6 {
    Ipv6::new(VM, STRANGER, upper)
}

fn ingress() -> Vec<Case> {
    let of = |name: &str, packet, reason| to_vm(format!("rules_{name}_in"), S::Rules, packet, reason).on(Ports::Ruled);
    let fragments = inwards(udp(53, 5353, &[0; 40])).fragments(9, &[24]);
    vec![
        of("tcp", inwards(tcp(40000, 22, 2)), Allowed)
            .then(inwards(tcp(40000, 22, 0x10)), Established)
            .then(inwards(tcp(40001, 22, 2)), Allowed)
            .then(inwards(tcp(40001, 23, 2)), IngressDenied),
        of("tcp_in_mid_stream", inwards(tcp(40000, 22, 0x10)), Allowed)
            .then(inwards(tcp(40000, 22, 0x10)), Established),
        of("tcp_source_port_is_not_asked", inwards(tcp(22, 40000, 2)), IngressDenied),
        of("udp_of_peer", Ipv6::new(ROUTER, VM, udp(9, 5000, &[])), Allowed),
        of("udp_of_another", inwards(udp(9, 5000, &[])), IngressDenied),
        of("sctp", inwards(sctp(9, 9)), IngressDenied),
        of("gre", Ipv6::new(ROUTER, VM, raw(47, vec![0; 8])), Allowed),
        of("esp", Ipv6::new(ROUTER, VM, raw(50, vec![0; 8])), IngressDenied),
        of("first_fragment", fragments[0].clone(), IngressDenied).then(fragments[1].clone(), FragmentUnknown),
        to_vm("rules_nothing_in", S::Rules, inwards(tcp(40000, 22, 2)), IngressDenied).on(Ports::RuledOut),
    ]
}

fn egress() -> Vec<Case> {
    let of =
        |name: &str, packet, reason| from_vm(format!("rules_{name}_out"), S::Rules, packet, reason).on(Ports::RuledOut);
    let fragments = outwards(udp(5353, 53, &[0; 40])).fragments(9, &[24]);
    vec![
        of("tcp", outwards(tcp(40000, 443, 2)), Allowed).then(outwards(tcp(40000, 443, 0x10)), Established),
        of("tcp_another_port", outwards(tcp(40000, 80, 2)), EgressDenied),
        of("fragments", fragments[0].clone(), Allowed).then(fragments[1].clone(), Fragment),
        of("udp_to_group", Ipv6::new(VM, WIDE_GROUP, udp(5353, 53, &[])), Allowed),
        of("spoofed", Ipv6::new(NEIGHBOUR, STRANGER, tcp(40000, 443, 2)), SourcePrivacy),
        of("link_local", Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_LINK_LOCAL, tcp(40000, 443, 2)), LinkLocalTraffic),
        from_vm("rules_everything_out", S::Rules, outwards(raw(50, vec![0; 8])), Allowed)
            .then(outwards(raw(50, vec![0; 8])), Established)
            .on(Ports::Ruled),
    ]
}

fn echo() -> Vec<Case> {
    let (ask, answer) = (icmpv6::echo_request, icmpv6::echo_reply);
    vec![
        to_vm("rules_do_not_ask_for_echo_in", S::Echo, inwards(ask()), Echo).on(Ports::Ruled),
        from_vm("rules_do_not_ask_for_echo_out", S::Echo, outwards(answer()), Echo).on(Ports::Ruled),
        to_vm("rules_ask_for_echo_in", S::Echo, inwards(ask()), IngressDenied).on(Ports::RuledOut),
        to_vm("rules_ask_for_echo_reply_in", S::Echo, inwards(answer()), IngressDenied).on(Ports::RuledOut),
        from_vm("rules_ask_for_echo_out", S::Echo, outwards(ask()), Allowed)
            .then(outwards(ask()), Established)
            .on(Ports::RuledOut),
        from_vm("rules_ask_for_echo_reply_out", S::Echo, outwards(answer()), EgressDenied).on(Ports::RuledOut),
        to_vm("rules_leave_echo_on_link_in", S::Echo, Ipv6::new(ROUTER_LINK_LOCAL, VM_LINK_LOCAL, ask()), Echo)
            .on(Ports::RuledOut),
    ]
}

fn types() -> Vec<Case> {
    let message = |kind, code| icmpv6::message(kind, code, &[0; 8]);
    let of_in = |name: &str, section, kind, code, reason| {
        to_vm(format!("rules_type_{name}_in"), section, inwards(message(kind, code)), reason).on(Ports::Ruled)
    };
    let of_out = |name: &str, section, kind, code, reason| {
        from_vm(format!("rules_type_{name}_out"), section, outwards(message(kind, code)), reason)
    };
    vec![
        of_in("named", S::OtherTypes, 200, 7, Allowed),
        of_in("not_named", S::OtherTypes, 201, 0, IcmpNeedsRule),
        of_in("forbidden_and_named", S::ForbiddenTypes, 139, 0, IcmpForbidden),
        of_out("named", S::OtherTypes, 200, 1, Allowed).on(Ports::RuledOut),
        of_out("named_with_another_code", S::OtherTypes, 200, 0, IcmpNeedsRule).on(Ports::RuledOut),
        of_out("of_everything", S::OtherTypes, 200, 1, IcmpNeedsRule).on(Ports::Ruled),
    ]
}
