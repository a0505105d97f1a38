//! States that are sound and too large.

use super::*;
use crate::state::{Icmpv6, Peer, PortRange, Rule, SecurityGroup, Traffic};

/// What becomes of these groups, each with a port of its own: the number of ports.
fn outcome(groups: Vec<SecurityGroup>) -> Result<usize, TooMany> {
    let origin = Origin::new("test");
    let network = Network { name: "n".into(), prefixes: Vec::new(), routers: Vec::new(), origin: origin.clone() };
    let ports = groups.iter().zip(1u8..).map(|(group, number)| Port {
        vm: number.to_string(),
        interface: format!("vnet{number}"),
        mac: Mac { octets: [2, 0, 0, 0, 0, number] },
        network: "n".into(),
        addresses: Vec::new(),
        delegated: Vec::new(),
        security_groups: Some(vec![group.name.clone()]),
        echo: None,
        origin: origin.clone(),
    });
    let declarations = Declarations { networks: vec![network], ports: ports.collect(), groups };
    let model = Model::assemble([declarations]).unwrap();
    compile(&model, &Settings::default()).map(|image| image.ports.len())
}

fn group(name: &str, ingress: Vec<Rule>) -> SecurityGroup {
    let origin = Origin::new("test");
    SecurityGroup {
        name: name.into(),
        ingress: ingress.into(),
        egress: Default::default(),
        members: Vec::new(),
        origin,
    }
}

fn net(number: u32) -> ipnet::Ipv6Net {
    ipnet::Ipv6Net::new(Ipv6Addr::from_bits(0x2001 << 112 | u128::from(number) << 64), 64).unwrap()
}

#[test]
fn peers_of_distinct_rulesets() {
    let rule = |first, peer| Rule { traffic: Traffic::Tcp(PortRange { first, last: 9 }), peers: vec![peer] };
    let to_db = |first| rule(first, Peer::Group("db".into()));
    let half = MAX_PEERS / 2;
    let db = SecurityGroup { members: (1..=half).map(net).collect(), ..group("db", vec![]) };
    let (a, b) = (group("a", vec![to_db(1)]), group("b", vec![to_db(2)]));
    // The same as another takes no more room; what nobody's port has takes none.
    let same = group("same", vec![to_db(1)]);
    assert_eq!(outcome(vec![db.clone(), a.clone(), b.clone(), same]), Ok(4));
    let one_more = group("c", vec![rule(1, Peer::Prefix(net(0)))]);
    let refused = outcome(vec![db, a, b, one_more]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the state has 1048577 peers or more, counted for each distinct set of rules, and a host can have 1048576; \
         remove some from the state files"
    );
}

#[test]
fn services_of_distinct_allowances() {
    let odd = || (0..32768).map(|number| number * 2 + 1);
    let one = |port| PortRange { first: port, last: port };
    let icmpv6 = |number: u16| {
        let [kind, code] = number.to_be_bytes();
        Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code))
    };
    // 32768 services each; where two meet, an allowance of both.
    let mut rules = Vec::new();
    let mut allow = |traffic: &dyn Fn(u16) -> Traffic, peers: &[u32]| {
        let peers: Vec<_> = peers.iter().map(|number| Peer::Prefix(net(*number))).collect();
        rules.extend(odd().map(|number| Rule { traffic: traffic(number), peers: peers.clone() }));
    };
    allow(&|port| Traffic::Tcp(one(port)), &[1, 4, 5]);
    allow(&|port| Traffic::Udp(one(port)), &[2, 4]);
    allow(&icmpv6, &[3, 5]);
    allow(&|port| Traffic::Udp(one(port - 1)), &[6]);
    assert_eq!(outcome(vec![group("full", rules.clone())]), Ok(1));
    rules.push(Rule { traffic: Traffic::All, peers: vec![Peer::Prefix(net(7)), Peer::Prefix(net(8))] });
    let refused = outcome(vec![group("one more", rules)]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the state has 262145 services or more, counted for each distinct set of rules, and a host can have 262144; \
         remove some from the state files"
    );
}
