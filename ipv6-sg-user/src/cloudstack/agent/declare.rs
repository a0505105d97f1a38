//! What the agent has said, as desired state: a network for each /64, a port for each NIC, a group for each set of rules.

use std::collections::{BTreeMap, HashMap};

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;

use super::command::Secondary;
use super::record::KnownNic;
use super::{Registry, Rules};
use crate::cloudstack::Taps;
use crate::state::{Declarations, Network, Origin, Port, SecurityGroup};

/// What every name that is made here begins with.
const PREFIX: &str = "cloudstack";

/// What is wanted of this host because the agent said so. NICs without a tap of their own are left out.
pub fn declare(registry: &Registry, taps: &Taps) -> Declarations {
    let mut networks: BTreeMap<String, Network> = BTreeMap::new();
    let mut groups: HashMap<&Rules, String> = HashMap::new();
    let mut ports = Vec::new();
    for vm in registry.vms().values() {
        let origin = Origin::new(&format!("{PREFIX} {}", vm.name));
        for nic in vm.nics.values() {
            let Some(interface) = taps.of(nic.mac, &nic.interface) else { continue };
            let (name, prefix) = network(nic);
            let new = || Network {
                name: name.clone(),
                prefixes: prefix.into_iter().collect(),
                routers: Vec::new(),
                origin: origin.clone(),
            };
            networks.entry(name.clone()).or_insert_with(new);
            let rules = nic.version.as_ref().map(|version| &version.rules);
            let named = || format!("{PREFIX}:{}", nic_name(&vm.name, nic, vm.nics.len()));
            let security_groups = rules.map(|rules| groups.entry(rules).or_insert_with(named).clone());
            ports.push(port(&vm.name, nic, interface, name, security_groups, origin.clone()));
        }
    }
    let group = |(rules, name): (&Rules, String)| SecurityGroup {
        origin: Origin::new(&name),
        name,
        ingress: rules.ingress.clone(),
        egress: rules.egress.clone(),
        members: Vec::new(),
    };
    Declarations { networks: networks.into_values().collect(), ports, groups: groups.into_iter().map(group).collect() }
}

/// The VM's name, and where it has several NICs, which one.
fn nic_name(vm: &str, nic: &KnownNic, nics: usize) -> String {
    if nics == 1 { vm.to_owned() } else { format!("{vm}/{}", nic.mac) }
}

/// The network that a NIC is on, as far as its address tells: the /64 that its address is formed from.
fn network(nic: &KnownNic) -> (String, Option<Ipv6Net>) {
    let of = |address| Ipv6Net::new(address, 64).map(|prefix| prefix.trunc()).ok();
    let prefix = nic.ipv6.filter(|address| is_slaac(nic, *address)).and_then(of);
    (prefix.map_or_else(|| PREFIX.to_owned(), |prefix| format!("{PREFIX} {prefix}")), prefix)
}

fn is_slaac(nic: &KnownNic, address: std::net::Ipv6Addr) -> bool {
    let address = Address::from_ip(address);
    eui64::slaac(address, nic.mac) == address
}

fn port(
    vm: &str,
    nic: &KnownNic,
    interface: &str,
    network: String,
    security_groups: Option<String>,
    origin: Origin,
) -> Port {
    let own = nic.ipv6.filter(|address| !is_slaac(nic, *address));
    let single = nic.secondary.iter().filter_map(|secondary| match secondary {
        Secondary::Address(address) => Some(*address),
        Secondary::Delegated(_) => None,
    });
    let mut addresses: Vec<_> = own.into_iter().chain(single).map(Address::from_ip).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let delegated = nic.secondary.iter().filter_map(|secondary| match secondary {
        Secondary::Address(_) => None,
        Secondary::Delegated(prefix) => Some(*prefix),
    });
    Port {
        vm: vm.to_owned(),
        interface: interface.to_owned(),
        mac: nic.mac,
        network,
        addresses,
        delegated: delegated.collect(),
        // Before the first rules were said nothing may come in.
        security_groups: Some(security_groups.into_iter().collect()),
        echo: None,
        origin,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::cloudstack::agent::Command;
    use crate::state::Model;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn registry(calls: &[&str]) -> Registry {
        let mut registry = Registry::default();
        for call in calls {
            registry.apply(&Command::parse(&words(call)).unwrap(), SystemTime::UNIX_EPOCH).unwrap();
        }
        registry
    }

    const ONE: &str = "add_network_rules --vmname i-2-5-VM --vmid 5 --vmmac 06:7a:88:00:00:01 --vif vnet1 --sig a --seq 1 --vmip6 2001:db8:1::47a:88ff:fe00:1 --nicsecips 2001:db8:1::100;2001:db8:f000:10::/60; --rules I:tcp;22;22;::/0,NEXT;";
    const TWO: &str = "add_network_rules --vmname i-2-6-VM --vmid 6 --vmmac 06:7a:88:00:00:02 --vif vnet2 --sig a --seq 1 --vmip6 2001:db8:1::5 --rules I:tcp;22;22;::/0,NEXT;";
    const NONE: &str = "default_network_rules --vmname i-2-7-VM --vmid 7 --vmmac 06:7a:88:00:00:03 --vif vnet3";

    #[test]
    fn ports_networks_and_groups() {
        let declared = declare(&registry(&[ONE, TWO, NONE]), &Taps::default());
        let names = |list: &[Network]| list.iter().map(|network| network.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&declared.networks), ["cloudstack", "cloudstack 2001:db8:1::/64"]);
        let [one, two, none] = &declared.ports[..] else { panic!("{:?}", declared.ports) };
        assert_eq!((one.interface.as_str(), one.network.as_str()), ("vnet1", "cloudstack 2001:db8:1::/64"));
        assert_eq!(one.addresses, [Address::from_ip("2001:db8:1::100".parse().unwrap())]);
        assert_eq!(one.delegated, ["2001:db8:f000:10::/60".parse().unwrap()]);
        // An address that is not formed from the MAC is one of its own.
        assert_eq!(two.network, "cloudstack");
        assert_eq!(two.addresses, [Address::from_ip("2001:db8:1::5".parse().unwrap())]);
        // Equal rules are one group.
        assert_eq!(one.security_groups, Some(vec!["cloudstack:i-2-5-VM".to_owned()]));
        assert_eq!((&two.security_groups, declared.groups.len()), (&one.security_groups, 1));
        assert_eq!(none.security_groups, Some(vec![]));
        Model::assemble([declared]).unwrap();
    }

    #[test]
    fn a_nic_without_a_tap_of_its_own_is_left_out() {
        let registry = registry(&[ONE]);
        let named = |mac: &str| Taps::new([("vnet1".to_owned(), mac.parse().unwrap())]);
        for (taps, ports) in [(named("fe:7a:88:00:00:01"), 1), (named("fe:7a:88:00:00:09"), 0)] {
            assert_eq!(declare(&registry, &taps).ports.len(), ports, "{taps:?}");
        }
    }
}
