//! What the agent has said, as desired state: a port for each NIC, a group for its rules, a network for each /64.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;

use super::Registry;
use super::command::Secondary;
use super::living::Living;
use super::record::{KnownNic, Vm};
use super::{places, twins};
use crate::cloudstack::Taps;
use crate::cloudstack::bare::{Who, bare};
use crate::state::{Declarations, Network, Origin, Port, SecurityGroup};

/// What every name that is made here begins with.
const PREFIX: &str = "cloudstack";

/// The networks that somebody else has defined, by announced prefix: the agent knows neither routers nor further prefixes.
pub type Networks = BTreeMap<Ipv6Net, String>;

/// What is wanted of this host because the agent said so. NICs without a tap of their own are left out, and so is what those
/// that leave, or are not here, have in common with those that are.
pub fn declare(registry: &Registry, taps: &Taps, networks: &Networks) -> Declarations {
    let mut declared = Declarations::default();
    let mut own: BTreeMap<String, Network> = BTreeMap::new();
    let mut living = Living::default();
    for (vm, nic, interface) in by_presence(registry, taps) {
        let origin = Origin::new(&format!("{PREFIX} {}", vm.name));
        let (network, prefix) = network(&vm.name, nic, networks);
        let name = format!("{PREFIX}:{}", nic_name(&vm.name, nic, vm.nics.len()));
        let version = vm.version_of(nic);
        // Before the first rules were said nothing may come in.
        let groups = version.iter().map(|_| name.clone()).collect();
        let port = port(&vm.name, nic, interface, network.clone(), groups, origin.clone());
        let Some(port) = living.admit(port, prefix, Presence::of(nic, taps, interface)) else { continue };
        declared.ports.push(port);
        if !networks.values().any(|known| *known == network) {
            let prefixes = prefix.into_iter().collect();
            let new = Network { name: network.clone(), prefixes, routers: Vec::new(), origin: origin.clone() };
            own.entry(network).or_insert(new);
        }
        declared.groups.extend(version.map(|version| SecurityGroup {
            origin,
            name,
            ingress: version.rules.ingress.clone(),
            egress: version.rules.egress.clone(),
            members: Vec::new(),
        }));
    }
    declared.networks = own.into_values().collect();
    for (interface, owner) in twins(registry, taps) {
        let (network, port) = bare(Who::Agent, interface, owner);
        declared.networks.push(network);
        declared.ports.push(port);
    }
    declared
}

/// How much of a claim a NIC has to what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Presence {
    /// It is here.
    Here,
    /// It has no tap: it has crashed, or is about to start.
    Awaited,
    /// It was taken leave of.
    Leaving,
    /// What was said of it cannot be.
    Refused,
}

impl Presence {
    fn of(nic: &KnownNic, taps: &Taps, interface: &str) -> Self {
        match (nic.leaving, taps.has(interface)) {
            _ if nic.refused => Self::Refused,
            (true, _) => Self::Leaving,
            (false, true) => Self::Here,
            (false, false) => Self::Awaited,
        }
    }
}

/// The NICs with their interfaces, those first that are here.
fn by_presence<'a>(registry: &'a Registry, taps: &'a Taps) -> Vec<(&'a Vm, &'a KnownNic, &'a str)> {
    let nics = places(registry, taps).into_iter();
    let mut nics: Vec<_> = nics.filter_map(|(vm, nic, interface)| Some((vm, nic, interface?))).collect();
    nics.sort_by_key(|(_, nic, interface)| Presence::of(nic, taps, interface));
    nics
}

/// The VM's name, and where it has several NICs, which one.
fn nic_name(vm: &str, nic: &KnownNic, nics: usize) -> String {
    if nics == 1 { vm.to_owned() } else { format!("{vm}/{}", nic.mac) }
}

/// The network that a NIC is on, as far as its address tells: the /64 that its address is formed from. One of which nothing is
/// told is no other's: two of these may have NICs with one MAC.
fn network(vm: &str, nic: &KnownNic, networks: &Networks) -> (String, Option<Ipv6Net>) {
    let of = |address| Ipv6Net::new(address, 64).map(|prefix| prefix.trunc()).ok();
    let Some(prefix) = nic.ipv6.filter(|address| is_slaac(nic, *address)).and_then(of) else {
        return (format!("{PREFIX} {vm}"), None);
    };
    (networks.get(&prefix).cloned().unwrap_or_else(|| format!("{PREFIX} {prefix}")), Some(prefix))
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
    security_groups: Vec<String>,
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
        security_groups: Some(security_groups),
        echo: None,
        origin,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::SystemTime;

    use super::*;
    use crate::cloudstack::agent::Command;
    use crate::cloudstack::libvirt::Domain;
    use crate::state::Model;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn registry(calls: &[&str]) -> Registry {
        let mut registry = Registry::default();
        for call in calls {
            let _ = registry.apply(&Command::parse(&words(call)).unwrap(), SystemTime::UNIX_EPOCH).unwrap();
        }
        registry
    }

    const ONE: &str = "add_network_rules --vmname i-2-5-VM --vmid 5 --vmmac 06:7a:88:00:00:01 --vif vnet1 --sig a --seq 1 --vmip6 2001:db8:1::47a:88ff:fe00:1 --nicsecips 2001:db8:1::100;2001:db8:f000:10::/60; --rules I:tcp;22;22;::/0,NEXT;";
    const TWO: &str = "add_network_rules --vmname i-2-6-VM --vmid 6 --vmmac 06:7a:88:00:00:02 --vif vnet2 --sig a --seq 1 --vmip6 2001:db8:1::5 --rules I:tcp;22;22;::/0,NEXT;";
    const NONE: &str = "default_network_rules --vmname i-2-7-VM --vmid 7 --vmmac 06:7a:88:00:00:03 --vif vnet3";

    #[test]
    fn ports_networks_and_groups() {
        let declared = declare(&registry(&[ONE, TWO, NONE]), &Taps::default(), &Networks::default());
        let names = |list: &[Network]| list.iter().map(|network| network.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            names(&declared.networks),
            ["cloudstack 2001:db8:1::/64", "cloudstack i-2-6-VM", "cloudstack i-2-7-VM"]
        );
        let [one, two, none] = &declared.ports[..] else { panic!("{:?}", declared.ports) };
        assert_eq!((one.interface.as_str(), one.network.as_str()), ("vnet1", "cloudstack 2001:db8:1::/64"));
        assert_eq!(one.addresses, [Address::from_ip("2001:db8:1::100".parse().unwrap())]);
        assert_eq!(one.delegated, ["2001:db8:f000:10::/60".parse().unwrap()]);
        // An address that is not formed from the MAC is one of its own.
        assert_eq!(two.network, "cloudstack i-2-6-VM");
        assert_eq!(two.addresses, [Address::from_ip("2001:db8:1::5".parse().unwrap())]);
        assert_eq!(one.security_groups, Some(vec!["cloudstack:i-2-5-VM".to_owned()]));
        assert_eq!((&two.security_groups, declared.groups.len()), (&Some(vec!["cloudstack:i-2-6-VM".to_owned()]), 2));
        assert_eq!(none.security_groups, Some(vec![]));
        Model::assemble([declared]).unwrap();
    }

    /// Somebody knows its routers.
    #[test]
    fn a_network_that_is_defined_elsewhere() {
        let known = Networks::from([("2001:db8:1::/64".parse().unwrap(), "pod1".to_owned())]);
        let declared = declare(&registry(&[ONE, TWO]), &Taps::default(), &known);
        let networks: Vec<_> = declared.ports.iter().map(|port| port.network.as_str()).collect();
        assert_eq!(networks, ["pod1", "cloudstack i-2-6-VM"]);
        assert_eq!(
            declared.networks.into_iter().map(|network| network.name).collect::<Vec<_>>(),
            ["cloudstack i-2-6-VM"]
        );
    }

    /// A VM that crashed, and another that has its address now; a third that is taken leave of.
    #[test]
    fn those_who_are_here_come_first() {
        let gone = "destroy_network_rules_for_vm --vmname i-2-7-VM";
        let [old, new, third] = [("5", "1"), ("6", "2"), ("7", "3")].map(|(vm, nic)| {
            format!("default_network_rules --vmname i-2-{vm}-VM --vmid {vm} --vmmac 06:7a:88:00:00:0{nic} --vif vnet{nic} --nicsecips 2001:db8:1::100;2001:db8:f000:10::/60;")
        });
        let registry = registry(&[&old, &new, &third, gone]);
        let taps = |names: &[&str]| {
            Taps::new(
                names
                    .iter()
                    .map(|name| ((*name).to_owned(), format!("fe:7a:88:00:00:0{}", &name[4..]).parse().unwrap())),
            )
        };
        let who = |taps: &Taps| {
            let declared = declare(&registry, taps, &Networks::default());
            let ports = declared.ports.iter();
            let has: Vec<_> = ports.filter(|port| !port.addresses.is_empty()).map(|port| port.vm.clone()).collect();
            (has, declared.ports.len(), Model::assemble([declared]).is_ok())
        };
        assert_eq!(who(&taps(&["vnet2"])), (vec!["i-2-6-VM".to_owned()], 3, true));
        assert_eq!(who(&taps(&["vnet1", "vnet3"])), (vec!["i-2-5-VM".to_owned()], 3, true));
        // Two that are here: only who said so can know which is wrong.
        assert!(!who(&taps(&["vnet1", "vnet2"])).2);
    }

    /// Tenants choose MACs, which are unique in their network alone. Taps have MACs without the first octet.
    #[test]
    fn two_nics_whose_taps_have_one_mac() {
        let call = |vm: u8, mac: &str, address: &str| {
            format!(
                "default_network_rules --vmname i-2-{vm}-VM --vmid {vm} --vmmac {mac} --vif vnet{vm} --vmip6 {address}"
            )
        };
        let tap = |name: &str| (name.to_owned(), "fe:7a:88:00:00:01".parse().unwrap());
        let (mac, other) = ("06:7a:88:00:00:01", "02:7a:88:00:00:01");
        for (victim, attacker) in [
            // On another network, told by its /64; on two of which nothing is told; and a MAC of its own.
            (call(5, mac, "2001:db8:1:0:47a:88ff:fe00:1"), call(4, mac, "2001:db8:2:0:47a:88ff:fe00:1")),
            (call(5, mac, ""), call(4, mac, "")),
            (call(5, mac, ""), call(4, other, "")),
        ] {
            for calls in [[&victim, &attacker], [&attacker, &victim]] {
                let registry = registry(&calls.map(String::as_str));
                let ports = |taps: &[&str]| {
                    let declared =
                        declare(&registry, &Taps::new(taps.iter().map(|name| tap(name))), &Networks::default());
                    let model = Model::assemble([declared]).unwrap();
                    let ports = model.ports().values().map(|port| (port.interface.clone(), port.vm.clone()));
                    ports.filter(|(interface, _)| taps.contains(&interface.as_str())).collect::<Vec<_>>()
                };
                let own = |vm: u8| (format!("vnet{vm}"), format!("i-2-{vm}-VM"));
                assert_eq!(ports(&["vnet4", "vnet5"]), [own(4), own(5)], "{calls:?}");
                // Whose tap is gone has not the other's.
                assert_eq!(ports(&["vnet4"]), [own(4)], "{calls:?}");
                assert_eq!(ports(&["vnet5"]), [own(5)], "{calls:?}");
            }
        }
    }

    /// Its second tap has that MAC alone, whichever the calls name.
    #[test]
    fn one_vm_with_two_nics_of_one_mac() {
        let tap = |name: &str| (name.to_owned(), "fe:7a:88:00:00:01".parse().unwrap());
        let domain = |name: &str, taps: &[&str]| Domain {
            name: name.to_owned(),
            id: None,
            taps: taps.iter().map(|tap| ((*tap).to_owned(), "06:7a:88:00:00:01".parse().unwrap())).collect(),
        };
        let mut taps = Taps::new(["vnet1", "vnet2", "vnet3"].map(tap));
        taps.tell_apart(&[domain("i-2-5-VM", &["vnet1", "vnet2"]), domain("i-2-9-VM", &["vnet3"])]);
        for (calls, named, twin) in [
            (vec![ONE.to_owned()], "vnet1", "vnet2"),
            (
                vec![ONE.to_owned(), ONE.replace("vnet1", "vnet2").replace("2001:db8:1:", "2001:db8:2:")],
                "vnet2",
                "vnet1",
            ),
        ] {
            let registry = registry(&calls.iter().map(String::as_str).collect::<Vec<_>>());
            let model = Model::assemble([declare(&registry, &taps, &Networks::default())]).unwrap();
            assert_eq!(
                model.ports().keys().collect::<BTreeSet<_>>(),
                BTreeSet::from([&named.to_owned(), &twin.to_owned()])
            );
            let (named, twin) = (&model.ports()[named], &model.ports()[twin]);
            assert_eq!((named.addresses.len(), named.delegated.len(), named.mac), (1, 1, twin.mac));
            assert_eq!((&twin.vm, twin.addresses.len(), twin.delegated.len()), (&named.vm, 0, 0));
            assert_eq!(twin.security_groups, Some(vec![]));
        }
    }

    #[test]
    fn a_nic_without_a_tap_of_its_own_is_left_out() {
        let registry = registry(&[ONE]);
        let named = |mac: &str| Taps::new([("vnet1".to_owned(), mac.parse().unwrap())]);
        for (taps, ports) in [(named("fe:7a:88:00:00:01"), 1), (named("fe:7a:88:00:00:09"), 0)] {
            assert_eq!(declare(&registry, &taps, &Networks::default()).ports.len(), ports, "{taps:?}");
        }
    }
}
