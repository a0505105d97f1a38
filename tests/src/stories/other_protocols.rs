//! Everything that is neither TCP nor UDP nor ICMPv6: with ports where the protocol has them, else one flow for both ends.

use ipv6_sg_common::verdict::Reason::*;

use super::{NO_RULES, Story, back, ingress, only_ingress, out};
use crate::frame::extension::{authentication, destination};
use crate::frame::{Ipv6, Upper, raw, sctp, tcp};
use crate::world::*;

/// Of a protocol that has its ports where TCP has them.
fn ported(protocol: u8, from: u16, to: u16) -> Upper {
    raw(protocol, [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0; 12]].concat())
}

pub(super) fn stories() -> Vec<Story> {
    let gre = |bytes: &[u8]| raw(47, bytes.to_vec());
    let mut stories = vec![
        Story::new("sctp_client", NO_RULES)
            .sends(out(sctp(5000, 36412)), Allowed)
            .gets(back(sctp(36412, 5000)), Established)
            .gets(back(sctp(36412, 5001)), IngressDenied)
            .gets(back(sctp(36413, 5000)), IngressDenied)
            .sends(out(sctp(5000, 36412)), Established)
            .remembers(1),
        Story::new("sctp_server", &only_ingress(r#"{ protocol = 132, peers = ["::/0"] }"#))
            .sends(out(sctp(36412, 5000)), EgressDenied)
            .gets(back(sctp(5000, 36412)), Allowed)
            .sends(out(sctp(36412, 5000)), Established)
            .sends(out(sctp(36412, 5001)), EgressDenied),
        Story::new("sctp_without_a_whole_header", NO_RULES)
            .sends(out(sctp(5000, 36412)).cut(9), Allowed)
            .gets(back(sctp(36412, 5000)), IngressDenied)
            .gets(back(sctp(36412, 5000)).cut(9), Established),
        Story::new("gre_tunnel", NO_RULES)
            .gets(back(gre(&[0, 0, 8, 0])), IngressDenied)
            .sends(out(gre(&[0, 0, 8, 0])), Allowed)
            // One flow, whatever is in it.
            .gets(back(gre(&[0x20, 0, 8, 0, 0, 0, 0, 7])), Established)
            .gets(Ipv6::new(ROUTER, VM, gre(&[0, 0, 8, 0])), IngressDenied)
            .remembers(1),
        Story::new("gre_tunnel_from_outside", &only_ingress(r#"{ protocol = "47", peers = ["2a00::/16"] }"#))
            .gets(back(gre(&[0, 0, 8, 0])), Allowed)
            .sends(out(gre(&[0, 0, 8, 0])), Established)
            .sends(out(raw(50, vec![0; 16])), EgressDenied),
        Story::new("ipsec", NO_RULES)
            .sends(out(raw(50, vec![0xd1; 64])), Allowed)
            .gets(back(raw(50, vec![0xd2; 64])), Established)
            .sends(out(tcp(1, 2, 2)).ext(authentication(12)), Allowed)
            .gets(back(tcp(2, 1, 0x12)).ext(authentication(12)), Established)
            // The headers between are no part of the flow.
            .sends(out(tcp(1, 2, 0x10)), Established)
            .gets(back(tcp(2, 1, 0x10)).ext(destination(&[])), Established)
            .remembers(2),
        Story::new("an_unknown_protocol", NO_RULES)
            .gets(back(raw(253, vec![1])), IngressDenied)
            .sends(out(raw(253, vec![1])), Allowed)
            .gets(back(raw(253, vec![2; 40])), Established)
            .gets(back(raw(254, vec![2; 40])), IngressDenied)
            .remembers(1),
        Story::new("no_next_header", &ingress(r#"{ protocol = 59, peers = ["::/0"] }"#))
            .gets(back(raw(59, vec![])), Allowed)
            .sends(out(raw(59, vec![])), Established),
        Story::new("tunnels_in_the_own_protocol", NO_RULES)
            .sends(out(raw(41, Ipv6::new(VM, ROUTER, tcp(1, 2, 2)).bytes())), Allowed)
            .gets(back(raw(41, Ipv6::new(ROUTER, VM, tcp(2, 1, 0x12)).bytes())), Established)
            // What is inside is no flow of this port.
            .gets(Ipv6::new(ROUTER, VM, tcp(2, 1, 0x12)), IngressDenied)
            .remembers(1),
    ];
    for (name, protocol) in [("dccp", 33), ("udp_lite", 136)] {
        let story = Story::new(name, NO_RULES)
            .sends(out(ported(protocol, 5000, 80)), Allowed)
            .gets(back(ported(protocol, 80, 5000)), Established)
            .gets(back(ported(protocol, 80, 5001)), IngressDenied)
            .sends(out(ported(protocol, 5001, 80)), Allowed)
            .remembers(2);
        stories.push(story);
    }
    stories
}
