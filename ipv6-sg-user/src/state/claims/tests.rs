//! The sweep against every pair of claims, compared one by one.

use std::net::Ipv6Addr;

use ipv6_sg_common::mac::Mac;
use proptest::prelude::*;

use super::*;
use crate::state::{Declarations, Model, Origin};

/// A prefix within a space so small that claims clash often.
fn prefix() -> impl Strategy<Value = Ipv6Net> {
    let lengths = prop::sample::select(vec![56u8, 60, 62, 63, 64, 65, 96, 128]);
    (0u128..64, any::<bool>(), lengths).prop_map(|(bits, low, length)| {
        // Some bits of the subnet, and one of the interface identifier.
        let number = 0x2001_0db8 << 96 | bits << 62 | u128::from(low) << 40;
        Ipv6Net::new(Ipv6Addr::from_bits(number), length).unwrap().trunc()
    })
}

fn port() -> impl Strategy<Value = (u8, Vec<Ipv6Net>, Vec<Ipv6Net>, bool)> {
    let delegated = prop::collection::btree_set(prefix(), 0..3);
    let addresses = prop::collection::btree_set(prefix(), 0..2);
    (0u8..3, delegated, addresses, any::<bool>()).prop_map(|(vm, delegated, addresses, own)| {
        (vm, delegated.into_iter().collect(), addresses.into_iter().collect(), own)
    })
}

fn overlap(one: &Ipv6Net, other: &Ipv6Net) -> bool {
    one.contains(other) || other.contains(one)
}

/// Whether no two claims clash, by the words of interface.md.
fn sound(networks: &[Network], ports: &[Port]) -> bool {
    let announced: Vec<_> = networks.iter().flat_map(|network| &network.prefixes).collect();
    let delegated: Vec<_> =
        ports.iter().flat_map(|port| port.delegated.iter().map(move |prefix| (port, prefix))).collect();
    let mut singles: Vec<(&Port, Ipv6Net)> = Vec::new();
    for port in ports {
        let network = networks.iter().find(|network| network.name == port.network).unwrap();
        let slaac = network.prefixes.iter().map(|prefix| eui64::slaac(Address::from_ip(prefix.addr()), port.mac));
        singles.extend(slaac.chain(port.addresses.iter().copied()).map(|address| (port, address.to_ip().into())));
    }
    let network_clash = delegated.iter().any(|(_, prefix)| announced.iter().any(|other| overlap(prefix, other)));
    let delegation_clash = delegated.iter().enumerate().any(|(index, (port, prefix))| {
        delegated[..index]
            .iter()
            .any(|(other_port, other)| prefix == other || (port.vm != other_port.vm && overlap(prefix, other)))
    });
    let address_clash = singles.iter().enumerate().any(|(index, (port, address))| {
        let taken = singles[..index].iter().any(|(other, taken)| port.interface != other.interface && address == taken);
        taken || delegated.iter().any(|(owner, prefix)| owner.vm != port.vm && prefix.contains(address))
    });
    !network_clash && !delegation_clash && !address_clash
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_sweep_finds_a_clash_exactly_where_a_pair_clashes(
        subnets in prop::collection::btree_set(0u128..16, 0..3),
        ports in prop::collection::vec(port(), 1..5),
    ) {
        let origin = Origin::new("test");
        let announced = subnets.into_iter().map(|bits| Ipv6Net::new((0x2001_0db8 << 96 | bits << 64).into(), 64).unwrap());
        let network = |name: &str, prefixes| Network { name: name.into(), prefixes, routers: Vec::new(), origin: origin.clone() };
        let networks = vec![network("n", announced.collect()), network("bare", Vec::new())];
        let ports: Vec<_> = ports
            .into_iter()
            .zip(0u8..)
            .map(|((vm, delegated, addresses, bare), number)| Port {
                vm: vm.to_string(),
                interface: format!("vnet{number}"),
                mac: Mac { octets: [2, 0, 0, 0, 0, number] },
                network: if bare { "bare" } else { "n" }.into(),
                addresses: addresses.into_iter().map(|prefix| Address::from_ip(prefix.addr())).collect::<std::collections::BTreeSet<_>>().into_iter().collect(),
                delegated,
                security_groups: None,
                echo: None,
                origin: origin.clone(),
            })
            .collect();
        let expected = sound(&networks, &ports);
        let result = Model::assemble([Declarations { networks, ports, groups: Vec::new() }]);
        prop_assert_eq!(result.is_ok(), expected, "{:?}", result.err());
    }
}
