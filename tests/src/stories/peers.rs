//! With whom: prefixes that nest and overlap, groups, multicast destinations.

use std::net::Ipv6Addr;

use ipv6_sg_common::verdict::Reason::*;

use super::{NO_RULES, Story, both, egress, ingress};
use crate::frame::{Ipv6, tcp, udp};
use crate::world::*;

pub(super) fn stories() -> Vec<Story> {
    [nested(), groups(), multicast()].concat()
}

/// A connection from this peer to this port of the VM.
fn from(peer: &str, port: u16) -> Ipv6 {
    Ipv6::new(address(peer), VM, tcp(40000, port, 2))
}

/// A connection of the VM to this port of the peer.
fn to(peer: &str, port: u16) -> Ipv6 {
    Ipv6::new(VM, address(peer), tcp(40000, port, 2))
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn nested() -> Vec<Story> {
    let nested = r#"
        { protocol = "tcp", ports = "80", peers = ["::/0"] },
        { protocol = "tcp", ports = "22", peers = ["2001:db8::/32"] },
        { protocol = "tcp", ports = "443", peers = ["2001:db8:9::/48"] },
        { protocol = "udp", peers = ["2001:db8:9:9::/64"] },
        { protocol = "tcp", ports = "25", peers = ["2001:db8:9:9::5/128"] }
    "#;
    let every = |mut story: Story, ask: fn(Story, &str, u16, bool) -> Story| {
        for (peer, allowed) in [
            ("2a00::1", &[80][..]),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", &[80]),
            ("2001:db8::", &[80, 22]),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", &[80, 22]),
            ("2001:db8:9::1", &[80, 22, 443]),
            ("2001:db8:9:9::4", &[80, 22, 443]),
            ("2001:db8:9:9::5", &[80, 22, 443, 25]),
            ("2001:db8:9:9::6", &[80, 22, 443]),
            ("2001:db8:a::1", &[80, 22]),
        ] {
            for port in [80, 22, 443, 25] {
                story = ask(story, peer, port, allowed.contains(&port));
            }
        }
        story
    };
    let into = |story: Story, peer: &str, port, allowed| {
        story.gets(from(peer, port), if allowed { Allowed } else { IngressDenied })
    };
    let out_of = |story: Story, peer: &str, port, allowed| {
        story.sends(to(peer, port), if allowed { Allowed } else { EgressDenied })
    };
    let overlapping = r#"
        { protocol = "tcp", ports = "1000-2000", peers = ["2001:db8:9::/48", "2001:db8:9:9::/64"] },
        { protocol = "tcp", ports = "1500-2500", peers = ["2001:db8:9:9::/64", "2001:db8:9:8::/63"] }
    "#;
    vec![
        every(Story::new("nested_prefixes_add_up_in", &ingress(nested)), into),
        every(Story::new("nested_prefixes_add_up_out", &egress(nested)), out_of),
        Story::new("overlapping_rules_add_up", &ingress(overlapping))
            .gets(from("2001:db8:9::1", 2000), Allowed)
            .gets(from("2001:db8:9::1", 2001), IngressDenied)
            .gets(from("2001:db8:9:8::1", 2500), Allowed)
            .gets(from("2001:db8:9:9::1", 1000), Allowed)
            .gets(from("2001:db8:9:9::1", 2500), Allowed)
            .gets(from("2001:db8:9:9::1", 2501), IngressDenied)
            .gets(from("2001:db8:a::1", 1500), IngressDenied),
        Story::new(
            "one_address_and_its_neighbours",
            &ingress(r#"{ protocol = "all", peers = ["2001:db8:9::8/127", "2001:db8:9::b/128"] }"#),
        )
        .gets(from("2001:db8:9::7", 1), IngressDenied)
        .gets(from("2001:db8:9::8", 1), Allowed)
        .gets(from("2001:db8:9::9", 1), Allowed)
        .gets(from("2001:db8:9::a", 1), IngressDenied)
        .gets(from("2001:db8:9::b", 1), Allowed),
        Story::new(
            "a_prefix_for_one_direction_is_none_for_the_other",
            &both(
                r#"{ protocol = "tcp", peers = ["2001:db8:9::/48"] }"#,
                r#"{ protocol = "tcp", peers = ["2a00::/16"] }"#,
            ),
        )
        .gets(from("2001:db8:9::1", 1), Allowed)
        .gets(from("2a00::1", 1), IngressDenied)
        .sends(to("2a00::2", 1), Allowed)
        .sends(to("2001:db8:9::2", 1), EgressDenied),
    ]
}

fn groups() -> Vec<Story> {
    /// Another port on this host: its address by SLAAC, an extra one, a delegated prefix.
    const DATABASE: &str = r#"
        [[port]]
        vm = "db"
        interface = "tap2"
        mac = "06:91:2a:00:01:17"
        network = "net"
        addresses = ["2001:db8:100::7"]
        delegated = ["2001:db8:f000:20::/60"]
        security_groups = ["db"]
        [security_group.db]
        members = ["2001:db8:5::/64"]
        [security_group.empty]
        [security_group.vm]
        ingress = [{ protocol = "tcp", ports = "22", peers = ["group:db", "group:empty"] }]
        egress = [{ protocol = "tcp", ports = "5432", peers = ["group:db"] }]
    "#;
    vec![
        Story::new("a_group_as_the_peer", DATABASE)
            .gets(Ipv6::new(NEIGHBOUR, VM, tcp(1, 22, 2)), Allowed)
            .gets(from("2001:db8:100::7", 22), Allowed)
            .gets(from("2001:db8:100::8", 22), IngressDenied)
            .gets(from("2001:db8:f000:20::", 22), Allowed)
            .gets(from("2001:db8:f000:2f:ffff::", 22), Allowed)
            .gets(from("2001:db8:f000:30::", 22), IngressDenied)
            .gets(from("2001:db8:5::1", 22), Allowed)
            .gets(from("2001:db8:6::1", 22), IngressDenied)
            .gets(from("2001:db8:5::1", 5432), IngressDenied)
            .sends(to("2001:db8:5::1", 5432), Allowed)
            .sends(Ipv6::new(VM, NEIGHBOUR, tcp(1, 5432, 2)), Allowed)
            .sends(Ipv6::new(VM, STRANGER, tcp(1, 5432, 2)), EgressDenied),
        Story::new(
            "the_own_group_as_the_peer",
            "[security_group.vm]\nmembers = [\"2001:db8:5::/64\"]\n\
             ingress = [{ protocol = \"all\", peers = [\"group:vm\"] }]",
        )
        .gets(from("2001:db8:5::1", 22), Allowed)
        .gets(from("2001:db8:6::1", 22), IngressDenied)
        // That it may speak with itself lets nobody else speak in its name.
        .gets(Ipv6::new(VM, VM, tcp(1, 22, 2)), SourceIsThisVm),
        Story::new(
            "a_group_without_members",
            "[security_group.none]\n[security_group.vm]\n\
             ingress = [{ protocol = \"all\", peers = [\"group:none\"] }]\n\
             egress = [{ protocol = \"all\", peers = [\"group:none\"] }]",
        )
        .gets(from("2001:db8:5::1", 22), IngressDenied)
        .sends(to("2001:db8:5::1", 22), EgressDenied),
    ]
}

fn multicast() -> Vec<Story> {
    let stream = |from: Ipv6Addr, to: Ipv6Addr| Ipv6::new(from, to, udp(5004, 5004, &[0; 12]));
    vec![
        Story::new("to_a_group_whose_prefix_a_rule_has", &egress(r#"{ protocol = "udp", peers = ["ff0e::/16"] }"#))
            .sends(stream(VM, WIDE_GROUP), Allowed)
            .sends(stream(VM, WIDE_GROUP), Established)
            .sends(stream(VM, "ff08::1".parse().expect("a group")), EgressDenied)
            .sends(stream(VM, STRANGER), EgressDenied)
            // Who answers speaks in his own name, and that is another flow.
            .gets(stream(STRANGER, VM), IngressDenied),
        Story::new("from_a_sender_to_a_group", &ingress(r#"{ protocol = "udp", peers = ["2a00::/16"] }"#))
            .gets(stream(STRANGER, WIDE_GROUP), Allowed)
            .gets(stream(STRANGER, WIDE_GROUP), Established)
            .gets(stream(NEIGHBOUR, WIDE_GROUP), IngressDenied)
            .gets(stream(STRANGER, ALL_NODES), LinkLocalTraffic),
        Story::new("to_a_group_on_the_link", NO_RULES).sends(stream(VM, ALL_NODES), LinkLocalTraffic).remembers(0),
    ]
}
