use proptest::prelude::*;

use super::super::declare::tests::{cidr, group, inventory, peer_group, rule};
use super::super::inventory::{Peer as ApiPeer, Rule as ApiRule};
use super::*;

/// What `web` has in a direction, as people read it, and what was odd.
fn rules(side: &'static str, written: Vec<ApiRule>, more: Vec<Group>) -> (Vec<String>, Vec<String>, bool) {
    let mut inventory = inventory();
    inventory.groups.extend(more);
    let web = &mut inventory.groups[1];
    (web.ingress, web.egress) = if side == "egress" { (vec![], written) } else { (written, vec![]) };
    let (groups, mut named, mut oddities) = (Groups::new(&inventory), Named::default(), Vec::new());
    let rules = groups.rules(&inventory.groups[1], side, &mut named, &mut oddities);
    let peers = |rule: &Rule| rule.peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let rules = rules.iter().map(|rule| format!("{} {}", rule.traffic, peers(rule))).collect();
    (rules, oddities.iter().map(ToString::to_string).collect(), named.nobody)
}

fn understood(written: Vec<ApiRule>) -> Vec<String> {
    let (rules, oddities, _) = rules("ingress", written, vec![]);
    assert_eq!(oddities, [""; 0]);
    rules
}

#[test]
fn what_cloudstack_writes() {
    let everybody = || cidr("::/0");
    assert_eq!(
        understood(vec![
            rule("tcp", Some((22, 22)), everybody()),
            rule("TCP", Some((22, 22)), cidr("2001:db8::5/64")),
            rule("tcp", Some((22, 22)), everybody()),
            rule("tcp", Some((22, 22)), cidr("0.0.0.0/0")),
            rule("udp", Some((1, 65535)), peer_group("db")),
            rule("icmp", Some((-1, -1)), everybody()),
            rule("icmp", Some((128, -1)), everybody()),
            rule("icmp", Some((8, 0)), everybody()),
            rule("icmp", None, cidr("2001:db8::1")),
            rule("all", None, everybody()),
            rule("47", None, everybody()),
            rule("6", Some((0, 0)), everybody()),
            rule("58", Some((-1, -1)), cidr("2001:db8::1")),
            // Of IPv4 nothing is said here, however odd.
            rule("sctp", None, cidr("10.0.0.0/8")),
        ]),
        [
            "tcp 22 ::/0,2001:db8::/64",
            "udp 1-65535 group:cloudstack:admin/db#g-db",
            "icmpv6 ::/0,2001:db8::1/128",
            "icmpv6 type 128 ::/0",
            "icmpv6 type 8 code 0 ::/0",
            "all ::/0",
            "protocol 47 ::/0",
            "tcp ::/0",
        ]
    );
}

#[test]
fn what_cannot_be_understood_allows_nothing_and_stays_a_rule() {
    for (written, problem) in [
        (
            rule("sctp", None, cidr("::/0")),
            r#""sctp" is no protocol: write all, tcp, udp, icmp or a number from 0 to 255"#,
        ),
        (
            rule("tcp", None, cidr("::/0")),
            r#""" to "" are no ports: write numbers from 0 to 65535, the lower one first"#,
        ),
        (
            rule("tcp", Some((1, 70000)), cidr("::/0")),
            r#""1" to "70000" are no ports: write numbers from 0 to 65535, the lower one first"#,
        ),
        (rule("all", None, cidr("::/129")), r#""::/129" is no address and no prefix"#),
        (rule("all", None, ApiPeer::Nobody), "neither addresses nor a group; that group is no more"),
        (rule("all", None, peer_group("gone")), r#"no group "gone" of account "admin" is listed"#),
    ] {
        let noted = |side| vec![format!("cloudstack:admin/web#g-web {side}[0]: {problem}; it allows nothing")];
        assert_eq!(rules("ingress", vec![written.clone()], vec![]), (vec![], noted("ingress"), false));
        let nobody = vec!["all group:cloudstack:nobody".to_owned()];
        assert_eq!(rules("egress", vec![written], vec![]), (nobody, noted("egress"), true));
    }
    // IPv4 alone is no rule, and then everything of IPv6 may leave.
    assert_eq!(rules("egress", vec![rule("all", None, cidr("10.0.0.0/8"))], vec![]), (vec![], vec![], false));
}

#[test]
fn whose_group_a_rule_means() {
    let owned = |id: &str, account: Option<&str>, project: Option<&str>, domain: &str| Group {
        account: account.map(str::to_owned),
        project: project.map(str::to_owned),
        domain: Some(domain.to_owned()),
        ..group(id, "app", vec![], vec![])
    };
    let all = || {
        vec![
            owned("a", Some("admin"), None, "dom-1"),
            owned("b", Some("other"), None, "dom-1"),
            // An account of the same name, in another domain.
            owned("c", Some("admin"), None, "dom-2"),
            owned("d", None, Some("shop"), "dom-1"),
            owned("e", None, Some("shop-1"), "dom-1"),
        ]
    };
    let means = |account: Option<&str>, more: Vec<Group>| {
        let peer = ApiPeer::Group { name: "app".to_owned(), account: account.map(str::to_owned) };
        let (rules, oddities, _) = rules("ingress", vec![rule("all", None, peer)], more);
        rules.into_iter().chain(oddities).next().unwrap()
    };
    for (account, wanted) in [
        (Some("admin"), "all group:cloudstack:admin/app#a"),
        (Some("other"), "all group:cloudstack:other/app#b"),
        (Some("PrjAcct-shop-1"), "all group:cloudstack:shop/app#d"),
        (Some("PrjAcct-shop-1-1"), "all group:cloudstack:shop-1/app#e"),
        (None, "all group:cloudstack:admin/app#a"),
    ] {
        assert_eq!(means(account, all()), wanted, "{account:?}");
    }
    for account in ["nobody", "PrjAcct-shop", "PrjAcct-shop-", "PrjAcct-shop-x", "shop"] {
        assert!(means(Some(account), all()).contains("is listed; it allows nothing"), "{account}");
    }
    let twice = [all(), vec![owned("f", Some("admin"), None, "dom-1")]].concat();
    assert!(means(Some("admin"), twice).contains("several groups \"app\" of account \"admin\""));
}

proptest! {
    /// Whatever a tenant writes, no rule becomes wider than it was written, and what leaves stays restricted.
    #[test]
    fn no_rule_is_too_odd(
        protocol in "(tcp|udp|icmp|all|[0-9]{1,3}|[a-z ]{0,5})",
        ports in prop::option::of((-2_i64..70_000, -2_i64..70_000)),
        peer in "(::/0|2001:db8::/[0-9]{1,3}|10\\.0\\.0\\.0/[0-9]{1,2}|[0-9a-f:./]{0,12})",
    ) {
        let written = rule(&protocol, ports, cidr(&peer));
        let (ingress, odd, _) = rules("ingress", vec![written.clone()], vec![]);
        let (egress, _, _) = rules("egress", vec![written], vec![]);
        prop_assert!(ingress.len() + odd.len() <= 1);
        prop_assert_eq!(egress.len(), ingress.len() + odd.len());
    }
}
