use proptest::prelude::*;

use super::*;

fn prefix(text: &str) -> Peer {
    Peer::Prefix(text.parse().unwrap())
}

fn rule_of(traffic: Traffic, peers: &[&str]) -> Rule {
    Rule { traffic, peers: peers.iter().map(|peer| prefix(peer)).collect() }
}

#[test]
fn what_the_agent_was_seen_to_say() {
    let everybody = |traffic| rule_of(traffic, &["::/0"]);
    let all_ports = PortRange { first: 1, last: 65535 };
    for (text, ingress, egress) in [
        (
            "I:icmp;-1;-1;0.0.0.0/0,NEXT;I:icmp;128;0;::/0,NEXT;I:tcp;1;65535;0.0.0.0/0,::/0,NEXT;I:udp;1;65535;0.0.0.0/0,::/0,NEXT;",
            vec![
                everybody(Traffic::Icmpv6(Icmpv6::TypeAndCode(128, 0))),
                everybody(Traffic::Tcp(all_ports)),
                everybody(Traffic::Udp(all_ports)),
            ],
            vec![],
        ),
        (
            "E:tcp;80;80;0.0.0.0/0,fd00::/64,NEXT;E:tcp;443;443;0.0.0.0/0,NEXT;I:tcp;22;22;10.1.1.0/24,NEXT;",
            vec![],
            vec![rule_of(Traffic::Tcp(PortRange { first: 80, last: 80 }), &["fd00::/64"])],
        ),
        ("I:all;0;0;0.0.0.0/0,::/0,NEXT;", vec![everybody(Traffic::All)], vec![]),
        ("I:47;0;0;192.0.2.0/24,NEXT;", vec![], vec![]),
        ("", vec![], vec![]),
    ] {
        let wanted = Rules { ingress: ingress.into(), egress: egress.into() };
        assert_eq!(Rules::parse(text), Ok(wanted), "{text}");
    }
}

#[test]
fn quirks() {
    for (text, wanted) in [
        // Host bits, members without an address, an address without a length.
        ("I:tcp;22;22;2001:db8::5/64,null/32,2001:db8:1::1,NEXT;", "I:tcp;22;22;2001:db8::/64,2001:db8:1::1/128,NEXT;"),
        // What follows the last NEXT; is no rule.
        ("I:all;0;0;::/0,NEXT;I:tcp;22;22;::/0,", "I:all;0;0;::/0,NEXT;"),
        ("I:tcp;22;22;::/0,", ""),
        // Ports beside a number mean nothing.
        ("E:6;22;22;::/0,NEXT;E:17;0;0;::/0,NEXT;", "E:tcp;0;65535;::/0,NEXT;E:udp;0;65535;::/0,NEXT;"),
        ("E:58;0;0;::/0,NEXT;E:1;0;0;::/0,NEXT;", "E:icmp;-1;-1;::/0,NEXT;E:1;0;0;::/0,NEXT;"),
        // IPv4's echo is no IPv6 message, and yet an egress rule: without it everything might leave.
        ("E:icmp;8;0;0.0.0.0/0,::/0,NEXT;I:icmp;128;-1;::/0,NEXT;", "I:icmp;128;-1;::/0,NEXT;E:icmp;8;0;::/0,NEXT;"),
        // A code without its type is no code.
        ("I:icmp;-1;0;::/0,NEXT;", "I:icmp;-1;-1;::/0,NEXT;"),
        ("I:ICMP;3;4;::/0,NEXT;I:TCP;1;2;::/0,NEXT;", "I:icmp;3;4;::/0,NEXT;I:tcp;1;2;::/0,NEXT;"),
        // Nobody may is nothing said.
        ("I:tcp;22;22;NEXT;I:tcp;22;22;,,NEXT;", ""),
        // Egress first.
        ("E:all;0;0;::/0,NEXT;I:all;0;0;::/0,NEXT;", "I:all;0;0;::/0,NEXT;E:all;0;0;::/0,NEXT;"),
    ] {
        assert_eq!(Rules::parse(text).unwrap().to_string(), wanted, "{text}");
    }
}

#[test]
fn what_is_refused() {
    for (text, message) in [
        ("tcp;22;22;::/0,NEXT;", r#"--rules, rule 1 ("tcp;22;22;::/0,"): begins with neither I: nor E:"#),
        ("I:all;0;0;::/0,NEXT;NEXT;", r#"--rules, rule 2 (""): begins with neither I: nor E:"#),
        ("I:tcp;22;NEXT;", r#"--rules, rule 1 ("I:tcp;22;"): wants protocol;start;end; before its addresses"#),
        (
            "I:sctp;1;2;::/0,NEXT;",
            r#"--rules, rule 1 ("I:sctp;1;2;::/0,"): "sctp" is no protocol: write all, tcp, udp, icmp or a number from 0 to 255"#,
        ),
        (
            "I:tcp;30;20;::/0,NEXT;",
            r#"--rules, rule 1 ("I:tcp;30;20;::/0,"): "30" to "20" are no ports: write numbers from 0 to 65535, the lower one first"#,
        ),
        (
            "I:icmp;256;0;::/0,NEXT;",
            r#"--rules, rule 1 ("I:icmp;256;0;::/0,"): "256" and "0" are no ICMP type and code: write numbers from 0 to 255, or -1 for any"#,
        ),
        ("I:all;0;0;web,NEXT;", r#"--rules, rule 1 ("I:all;0;0;web,"): "web" is no address and no prefix"#),
        ("I:all;0;0;::/129,NEXT;", r#"--rules, rule 1 ("I:all;0;0;::/129,"): "::/129" is no address and no prefix"#),
        (
            "I:all;0;0;10.0.0.0/33,NEXT;",
            r#"--rules, rule 1 ("I:all;0;0;10.0.0.0/33,"): "10.0.0.0/33" is no address and no prefix"#,
        ),
    ] {
        assert_eq!(Rules::parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

fn traffics() -> impl Strategy<Value = Traffic> {
    let ports = || (any::<u16>(), any::<u16>()).prop_map(|(a, b)| PortRange { first: a.min(b), last: a.max(b) });
    prop_oneof![
        Just(Traffic::All),
        ports().prop_map(Traffic::Tcp),
        ports().prop_map(Traffic::Udp),
        Just(Traffic::Icmpv6(Icmpv6::Any)),
        any::<u8>().prop_map(|kind| Traffic::Icmpv6(Icmpv6::Type(kind))),
        (any::<u8>(), any::<u8>()).prop_map(|(kind, code)| Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code))),
        any::<u8>().prop_filter("a number", |n| ![6, 17, 58].contains(n)).prop_map(Traffic::Protocol),
    ]
}

fn sides() -> impl Strategy<Value = Vec<Rule>> {
    let peer = (any::<u128>(), 0..=128_u8)
        .prop_map(|(bits, length)| Peer::Prefix(Ipv6Net::new(bits.into(), length).unwrap().trunc()));
    let rule = (traffics(), prop::collection::vec(peer, 1..5)).prop_map(|(traffic, peers)| Rule { traffic, peers });
    prop::collection::vec(rule, 0..6)
}

proptest! {
    #[test]
    fn what_is_written_is_read((ingress, egress) in (sides(), sides())) {
        let rules = Rules { ingress: ingress.into(), egress: egress.into() };
        prop_assert_eq!(Rules::parse(&rules.to_string()), Ok(rules));
    }

    #[test]
    fn no_text_is_too_odd(text in "[IENXT:;,/a-z0-9. -]{0,60}(NEXT;)?") {
        if let Ok(rules) = Rules::parse(&text) {
            prop_assert_eq!(Rules::parse(&rules.to_string()), Ok(rules));
        }
    }
}
