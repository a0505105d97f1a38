pub(super) mod arbitrary;
mod limits;
mod rules;
mod words;

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::state::{Declarations, Origin, file};

fn model(text: &str) -> Model {
    Model::assemble([file::parse(Path::new("a.toml"), text).unwrap()]).unwrap()
}

/// The only port of a state whose network and port have these further keys.
fn only(network: &str, port: &str, settings: &Settings) -> PortImage {
    let text = format!(
        "[security_group.web]\n[network.n]\n{network}\n[[port]]\nvm = \"vm\"\ninterface = \"vnet0\"\nnetwork = \"n\"\n{port}"
    );
    compile(&model(&text), settings).unwrap().ports.remove("vnet0").unwrap()
}

fn shown(port: &PortImage) -> Vec<String> {
    port.source_set().into_iter().map(source_text).collect()
}

#[test]
fn vectors_of_the_policy() {
    let port = only("prefixes = [\"2001:db8:100::/64\"]", "mac = \"06:7a:88:00:00:8b\"", &Settings::default());
    assert_eq!(shown(&port), ["fe80::47a:88ff:fe00:8b", "2001:db8:100:0:47a:88ff:fe00:8b"]);
    let port = only(
        "prefixes = [\"2a00:f10:121:b00::/64\"]",
        "mac = \"06:34:a0:00:1b:c7\"\naddresses = [\"2a00:f10:121:b00::5\"]\ndelegated = [\"2a00:f10:500::/56\"]",
        &Settings::default(),
    );
    assert_eq!(
        shown(&port),
        ["fe80::434:a0ff:fe00:1bc7", "2a00:f10:121:b00::5", "2a00:f10:121:b00:434:a0ff:fe00:1bc7", "2a00:f10:500::/56"]
    );
    let port = only("prefixes = []", "mac = \"fe:54:00:00:3e:05\"", &Settings::default());
    assert_eq!(shown(&port), ["fe80::fc54:ff:fe00:3e05"]);
    assert_eq!((port.vm.as_str(), port.interface.as_str()), ("vm", "vnet0"));
}

#[test]
fn slots_overflow_into_the_source_map() {
    let mac = "mac = \"02:00:00:00:00:01\"";
    let prefixes = |count: usize| {
        let list: Vec<_> = (1..=count).map(|n| format!("\"2001:db8:{n}::/64\"")).collect();
        format!("prefixes = [{}]", list.join(", "))
    };
    for count in 0..=SLAAC_SLOTS + 2 {
        let port = only(&prefixes(count), mac, &Settings::default());
        assert_eq!(port.sources.len(), count.saturating_sub(SLAAC_SLOTS));
        assert_eq!(port.port.flags.has(PortFlags::HAS_SOURCES), count > SLAAC_SLOTS);
        assert_eq!(shown(&port).len(), 1 + count);
        // What is not used repeats the link-local address: zero would be `::`, an address of the port.
        for slot in port.port.slaac.iter().skip(count) {
            assert_eq!(*slot, port.port.link_local);
        }
    }
    let port = only(&prefixes(SLAAC_SLOTS + 1), mac, &Settings::default());
    let surplus: Vec<_> = port.sources.iter().copied().map(source_text).collect();
    assert_eq!(surplus, ["2001:db8:4::ff:fe00:1"]);
}

#[test]
fn flags() {
    let settings = |ipv4, echo| Settings { ipv4, echo, ..Settings::default() };
    let (network, routed) = ("prefixes = []", "prefixes = []\nrouters = [\"fe80::1\", \"fe80::2\"]");
    let mac = "mac = \"02:00:00:00:00:01\"\n";
    let grouped = format!("{mac}security_groups = [\"web\"]\n");
    let empty = format!("{mac}security_groups = []\n");
    let flags = |network: &str, port: &str, settings: &Settings| {
        let flags = only(network, port, settings).port.flags;
        PortFlags::ALL.into_iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| name).collect::<Vec<_>>()
    };
    let (pass, drop) = (settings(Ipv4::Pass, Echo::Always), settings(Ipv4::Drop, Echo::Always));
    let rules = settings(Ipv4::Pass, Echo::Rules);
    assert_eq!(flags(network, mac, &pass), [""; 0]);
    assert_eq!(flags(network, mac, &drop), ["ipv4_drop"]);
    assert_eq!(flags(routed, mac, &pass), ["has_routers"]);
    assert_eq!(flags(network, &format!("{mac}addresses = [\"2001:db8::1\"]"), &pass), ["has_sources"]);
    assert_eq!(flags(network, &format!("{mac}delegated = [\"2001:db8::/64\"]"), &pass), ["has_sources"]);
    // Echo by rules: the port's word over the daemon's, and only where there are rules.
    assert_eq!(flags(network, mac, &rules), [""; 0]);
    assert_eq!(flags(network, &format!("{mac}echo = \"rules\""), &rules), [""; 0]);
    assert_eq!(flags(network, &grouped, &rules), ["echo_rules", "has_rules"]);
    assert_eq!(flags(network, &empty, &rules), ["echo_rules", "has_rules"]);
    assert_eq!(flags(network, &format!("{grouped}echo = \"always\""), &rules), ["has_rules"]);
    assert_eq!(flags(network, &format!("{grouped}echo = \"rules\""), &pass), ["echo_rules", "has_rules"]);
    assert!(only(network, &empty, &pass).rules.is_some());
    assert!(only(network, mac, &pass).rules.is_none());
    assert_eq!(only(routed, mac, &pass).routers.len(), 2);
    assert!(quarantined().flags.has(PortFlags::QUARANTINED));
}

#[test]
fn more_than_the_maps_hold() {
    let origin = Origin::new("test");
    let network = |routers: u16| Network {
        name: "n".into(),
        prefixes: Vec::new(),
        routers: (1..=routers).map(|n| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n).into()).collect(),
        origin: origin.clone(),
    };
    let port = |number: u16, delegated: u16| Port {
        vm: number.to_string(),
        interface: format!("vnet{number}"),
        mac: Mac { octets: [2, 0, 0, 0, number.to_be_bytes()[0], number.to_be_bytes()[1]] },
        network: "n".into(),
        addresses: Vec::new(),
        delegated: (0..delegated)
            .map(|n| ipnet::Ipv6Net::new(Ipv6Addr::new(0x2001, 0xdb8, number, n, 0, 0, 0, 0), 64).unwrap())
            .collect(),
        security_groups: None,
        echo: None,
        origin: origin.clone(),
    };
    let image = |routers: u16, ports: u16, delegated: u16| {
        let ports = (0..ports).map(|number| port(number, delegated)).collect();
        let declarations = Declarations { networks: vec![network(routers)], ports, groups: Vec::new() };
        let model = Model::assemble([declarations]).unwrap();
        compile(&model, &Settings::default()).map(|image| image.ports.len()).map_err(|error| error.to_string())
    };
    assert_eq!(image(8, 8192, 32), Ok(8192));
    assert_eq!(
        image(0, 8193, 0),
        Err("the state has 8193 ports, and a host can have 8192; remove some from the state files".into())
    );
    assert_eq!(
        image(0, 5, 52_429),
        Err("the state has 262145 prefixes and extra addresses, and a host can have 262144; remove some from the state \
             files"
            .into())
    );
    assert!(image(9, 8192, 0).unwrap_err().contains("73728 routers"));
}

/// S(port) by the words of the policy and nothing of the code under test: address and length as numbers.
fn naive_source_set(
    mac: [u8; 6],
    announced: &[u128],
    extra: &[u128],
    delegated: &[(u128, u8)],
) -> BTreeSet<(u128, u8)> {
    let mac = mac.iter().fold(0u64, |number, octet| number << 8 | u64::from(*octet));
    let (high, low) = (mac >> 24, mac & 0xff_ffff);
    let identifier = u128::from((high ^ 0x02_0000) << 40 | 0xff_fe00_0000 | low);
    let mut set = BTreeSet::from([(0xfe80 << 112 | identifier, 128)]);
    set.extend(announced.iter().map(|prefix| (prefix | identifier, 128)));
    set.extend(extra.iter().map(|address| (*address, 128)));
    set.extend(delegated);
    set
}

proptest! {
    #[test]
    fn the_image_holds_the_source_set_and_nothing_else(
        macs in prop::collection::btree_set(any::<[u8; 5]>().prop_map(|[a, b, c, d, e]| [0x06, a, b, c, d, e]), 1..4),
        announced in prop::collection::btree_set(any::<u16>(), 0..7),
        extra in prop::collection::btree_set(any::<u64>(), 0..5),
        delegated in prop::collection::btree_set((any::<u64>(), 40u8..=128), 0..5),
    ) {
        let ip = |number: u128| Address::from_ip(Ipv6Addr::from_bits(number));
        let announced: Vec<u128> = announced.into_iter().map(|n| 0x2001_0db8 << 96 | u128::from(n) << 64).collect();
        let origin = Origin::new("test");
        let networks = vec![Network {
            name: "n".into(),
            prefixes: announced.iter().map(|n| ipnet::Ipv6Net::new(Ipv6Addr::from_bits(*n), 64).unwrap()).collect(),
            routers: Vec::new(),
            origin: origin.clone(),
        }];
        let mut expected = Vec::new();
        let mut ports = Vec::new();
        for (number, mac) in macs.into_iter().enumerate() {
            // Extra addresses and delegations of each port lie in a /32 of their own.
            let own = |family: u128| (family << 16 | number as u128) << 96;
            let extra: Vec<u128> = extra.iter().map(|n| own(0x2002) | u128::from(*n)).collect();
            let delegated: BTreeSet<(u128, u8)> = delegated
                .iter()
                .map(|(n, length)| ((own(0x2003) | u128::from(*n) << 32) & u128::MAX << (128 - length), *length))
                .collect();
            let delegated: Vec<_> = delegated.into_iter().collect();
            expected.push(naive_source_set(mac, &announced, &extra, &delegated));
            ports.push(Port {
                vm: number.to_string(),
                interface: format!("vnet{number}"),
                mac: Mac { octets: mac },
                network: "n".into(),
                addresses: extra.into_iter().map(ip).collect(),
                delegated: delegated
                    .into_iter()
                    .map(|(n, length)| ipnet::Ipv6Net::new(Ipv6Addr::from_bits(n), length).unwrap())
                    .collect(),
                security_groups: None,
                echo: None,
                origin: origin.clone(),
            });
        }
        let model = Model::assemble([Declarations { networks, ports, groups: Vec::new() }]).unwrap();
        let image = compile(&model, &Settings::default()).unwrap();
        prop_assert_eq!(image.ports.len(), expected.len());
        for (port, expected) in image.ports.values().zip(expected) {
            let number = |(address, length): (Address, u8)| (address.to_ip().to_bits(), length);
            let inline = port.port.slaac.iter().chain([&port.port.link_local]).map(|address| number((*address, 128)));
            let held: BTreeSet<_> = inline.chain(port.sources.iter().copied().map(number)).collect();
            prop_assert_eq!(&held, &expected);
            let shown: Vec<_> = port.source_set().into_iter().map(number).collect();
            prop_assert_eq!(shown.len(), expected.len());
            prop_assert_eq!(shown.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}
