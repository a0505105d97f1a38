use std::time::Instant;

use ipv6_sg_common::mac::Mac;

use super::*;
use crate::cloudstack::agent::command::Secondary;
use crate::cloudstack::api::inventory::{self, Group, Host, Nic, Peer, Rule, Vm};
use crate::cloudstack::libvirt::Domain;
use crate::compile::{self, Access};
use crate::state::{self, Model, Settings};

pub(in crate::cloudstack::api) fn vm(number: u32, host: &str, groups: &[&str]) -> Vm {
    let [_, b, c, d] = number.to_be_bytes();
    let mac = Mac { octets: [0x06, 0x7a, 0x88, b, c, d] };
    Vm {
        id: format!("vm-{number}"),
        name: format!("i-2-{number}-VM"),
        host: Some(host.to_owned()),
        migrating: false,
        groups: groups.iter().map(ToString::to_string).collect(),
        nics: vec![Nic {
            mac,
            network: "net-1".to_owned(),
            address: Some(eui64("2001:db8:1::", mac)),
            cidr: None,
            secondary: Vec::new(),
        }],
    }
}

fn eui64(prefix: &str, mac: Mac) -> std::net::Ipv6Addr {
    use ipv6_sg_common::address::Address;
    ipv6_sg_common::eui64::slaac(Address::from_ip(prefix.parse().unwrap()), mac).to_ip()
}

pub(in crate::cloudstack::api) fn rule(protocol: &str, ports: Option<(i64, i64)>, peer: Peer) -> Rule {
    let (first, last) = (ports.map(|(first, _)| first), ports.map(|(_, last)| last));
    Rule { protocol: protocol.to_owned(), first, last, peer }
}

pub(in crate::cloudstack::api) fn cidr(text: &str) -> Peer {
    Peer::Cidr(text.to_owned())
}

pub(in crate::cloudstack::api) fn peer_group(name: &str) -> Peer {
    Peer::Group { name: name.to_owned(), account: Some("admin".to_owned()) }
}

pub(in crate::cloudstack::api) fn group(id: &str, name: &str, ingress: Vec<Rule>, egress: Vec<Rule>) -> Group {
    let (account, domain) = (Some("admin".to_owned()), Some("dom-1".to_owned()));
    Group { id: id.to_owned(), name: name.to_owned(), account, project: None, domain, ingress, egress }
}

fn network(id: &str, cidr: Option<&str>, security_groups: bool) -> inventory::Network {
    let cidr = cidr.map(|cidr| cidr.parse().unwrap());
    inventory::Network { id: id.to_owned(), name: format!("pod {id}"), cidr, security_groups }
}

/// VM 1 is here and in `web`, VM 2 elsewhere and in `db`, which `web` lets in.
pub(in crate::cloudstack::api) fn inventory() -> Inventory {
    let web = vec![rule("tcp", Some((22, 22)), cidr("::/0")), rule("all", None, peer_group("db"))];
    let mut here = vm(1, "host-1", &["g-web"]);
    here.nics[0].secondary = vec![
        Secondary::Address("2001:db8:1::100".parse().unwrap()),
        Secondary::Delegated("2001:db8:f000:10::/60".parse().unwrap()),
    ];
    Inventory {
        host: Host { id: "host-1".to_owned(), name: "kvm1".to_owned() },
        vms: vec![here, vm(2, "host-2", &["g-db"])],
        groups: vec![group("g-db", "db", vec![], vec![]), group("g-web", "web", web, vec![])],
        networks: vec![network("net-1", Some("2001:db8:1::/64"), true), network("net-2", None, false)],
        unlisted: Vec::new(),
    }
}

/// The taps of VMs with these numbers.
fn taps(numbers: &[u32]) -> Taps {
    let mac = |number: u32| {
        let [_, b, c, d] = number.to_be_bytes();
        Mac { octets: [0xfe, 0x7a, 0x88, b, c, d] }
    };
    Taps::new(numbers.iter().map(|number| (format!("vnet{number}"), mac(*number))))
}

fn messages(declared: &Declared) -> Vec<String> {
    declared.oddities.iter().map(ToString::to_string).collect()
}

#[test]
fn a_port_its_network_and_its_groups() {
    let declared = translate(&inventory(), &taps(&[1]));
    assert_eq!(messages(&declared), [""; 0]);
    let Declarations { networks, ports, groups } = &declared.declarations;
    let ([network], [port], [db, web]) = (&networks[..], &ports[..], &groups[..]) else { panic!("{declared:?}") };
    assert_eq!(network.name, "cloudstack:pod net-1#net-1");
    assert_eq!(network.prefixes, ["2001:db8:1::/64".parse().unwrap()]);
    assert_eq!((port.vm.as_str(), port.interface.as_str(), &port.network), ("i-2-1-VM", "vnet1", &network.name));
    assert_eq!(port.addresses, [ipv6_sg_common::address::Address::from_ip("2001:db8:1::100".parse().unwrap())]);
    assert_eq!(port.delegated, ["2001:db8:f000:10::/60".parse().unwrap()]);
    assert_eq!(port.security_groups, Some(vec![web.name.clone()]));
    assert_eq!((web.name.as_str(), db.name.as_str()), ("cloudstack:admin/web#g-web", "cloudstack:admin/db#g-db"));
    let written: Vec<_> =
        web.ingress.iter().map(|rule| (rule.traffic.to_string(), rule.peers[0].to_string())).collect();
    assert_eq!(
        written,
        [("tcp 22".into(), "::/0".into()), ("all".into(), "group:cloudstack:admin/db#g-db".to_owned())]
    );
    assert_eq!(db.members, [ipnet::Ipv6Net::from(eui64("2001:db8:1::", vm(2, "", &[]).nics[0].mac))]);
    assert!(db.ingress.is_empty() && web.members.is_empty());
    Model::assemble([declared.declarations]).unwrap();
}

#[test]
fn which_nics_have_ports() {
    let mut inventory = inventory();
    let ports = |inventory: &Inventory, numbers: &[u32]| {
        let declared = declare(inventory, &taps(numbers));
        let ports: Vec<_> = declared.ports.iter().map(|port| (port.vm.clone(), port.interface.clone())).collect();
        Model::assemble([declared]).unwrap();
        ports.into_iter().map(|(vm, tap)| format!("{vm} {tap}")).collect::<Vec<_>>()
    };
    // Without a tap there is nothing to guard, and a MAC of somebody who is elsewhere says nothing.
    assert_eq!(ports(&inventory, &[]), [""; 0]);
    assert_eq!(ports(&inventory, &[2, 3]), [""; 0]);
    // Unless he is under way: then he is here already, or still.
    inventory.vms[1].migrating = true;
    assert_eq!(ports(&inventory, &[1, 2]), ["i-2-1-VM vnet1", "i-2-2-VM vnet2"]);
    // Networks without security groups are left alone.
    inventory.vms[1].nics[0].network = "net-2".to_owned();
    assert_eq!(ports(&inventory, &[1, 2]), ["i-2-1-VM vnet1"]);
    inventory.networks[0].security_groups = false;
    assert_eq!(ports(&inventory, &[1, 2]), [""; 0]);
}

#[test]
fn nics_that_cannot_be_told_apart() {
    let mut inventory = inventory();
    let mut twin = vm(1, "host-1", &[]);
    twin.name = "i-2-9-VM".to_owned();
    twin.nics[0].network = "net-2".to_owned();
    twin.nics[0].mac.octets[0] = 0x02;
    inventory.vms.push(twin);
    let declared = translate(&inventory, &taps(&[1]));
    assert_eq!(declared.declarations.ports.len(), 0);
    assert_eq!(
        messages(&declared),
        [
            "06:7a:88:00:00:01 of i-2-1-VM is the MAC of 2 NICs and 1 taps on this host, but for the first octet: libvirt does \
             not tell which is whose, and they are left as they are"
        ]
    );
    // Somebody who is only under way is not taken for one who is here.
    inventory.vms[2].host = Some("host-2".to_owned());
    inventory.vms[2].migrating = true;
    assert_eq!(translate(&inventory, &taps(&[1])).declarations.ports.len(), 1);
}

/// Taps of one MAC, and what libvirt says of them: the VM of each, and its MAC.
fn alike(told: &[(&str, &str, &str)], untold: &[&str]) -> Taps {
    let names = told.iter().map(|(tap, ..)| tap).chain(untold);
    let mut taps = Taps::new(names.map(|tap| ((*tap).to_owned(), "fe:7a:88:00:00:01".parse().unwrap())));
    let domain = |(tap, vm, mac): &(&str, &str, &str)| Domain {
        name: (*vm).to_owned(),
        id: None,
        taps: vec![((*tap).to_owned(), mac.parse().unwrap())],
    };
    taps.tell_apart(&told.iter().map(domain).collect::<Vec<_>>());
    taps
}

/// What is declared for taps: of which VM, with which MAC, and with how many prefixes on its network; and the oddities.
fn declared(inventory: &Inventory, taps: &Taps) -> (Vec<String>, Vec<String>) {
    let declared = translate(inventory, taps);
    let oddities = messages(&declared);
    let networks = declared.declarations.networks.clone();
    let prefixes = |port: &Port| {
        networks
            .iter()
            .filter(|network| network.name == port.network)
            .map(|network| network.prefixes.len())
            .sum::<usize>()
    };
    let port = |port: &Port| format!("{} {} {} {}", port.interface, port.vm, port.mac, prefixes(port));
    let ports = declared.declarations.ports.iter().map(port).collect();
    Model::assemble([declared.declarations]).unwrap();
    (ports, oddities)
}

const ONE: &str = "06:7a:88:00:00:01";

#[test]
fn nics_that_libvirt_tells_apart() {
    let mut inventory = inventory();
    let mut twin = vm(1, "host-1", &[]);
    (twin.id, twin.name) = ("vm-9".to_owned(), "i-2-9-VM".to_owned());
    twin.nics[0].mac.octets[0] = 0x02;
    twin.nics[0].address = Some(eui64("2001:db8:1::", twin.nics[0].mac));
    inventory.vms.push(twin);
    let nine = "02:7a:88:00:00:01";
    let none = Vec::<String>::new;
    let (own, other) = (format!("vnet1 i-2-1-VM {ONE} 1"), format!("vnet5 i-2-9-VM {nine} 1"));
    // Both are here; one is; one is, and libvirt has not written the other down yet.
    let both = alike(&[("vnet1", "i-2-1-VM", ONE), ("vnet5", "i-2-9-VM", nine)], &[]);
    assert_eq!(declared(&inventory, &both), (vec![own.clone(), other.clone()], none()));
    assert_eq!(declared(&inventory, &alike(&[("vnet1", "i-2-1-VM", ONE)], &[])), (vec![own.clone()], none()));
    assert_eq!(
        declared(&inventory, &alike(&[("vnet1", "i-2-1-VM", ONE)], &["vnet5"])),
        (vec![own.clone(), other], none())
    );
    // A system VM's, or one of a VM that the server has not told of, is not ours for its MAC.
    let systems = alike(&[("vnet5", "v-2-VM", ONE)], &[]);
    assert_eq!(declared(&inventory, &systems), (vec![], none()));
    let systems = alike(&[("vnet5", "v-2-VM", ONE), ("vnet1", "i-2-1-VM", ONE)], &[]);
    assert_eq!(declared(&inventory, &systems), (vec![own], none()));
}

/// A tenant can have that: MACs are unique in their network alone.
#[test]
fn one_vm_with_two_nics_of_one_mac() {
    let mut inventory = inventory();
    let second = Nic { network: "net-2".to_owned(), ..inventory.vms[0].nics[0].clone() };
    inventory.vms[0].nics.push(second);
    let taps = alike(&[("vnet1", "i-2-1-VM", ONE), ("vnet5", "i-2-1-VM", ONE)], &[]);
    let (ports, oddities) = declared(&inventory, &taps);
    assert_eq!(ports, [format!("vnet1 i-2-1-VM {ONE} 0"), format!("vnet5 i-2-1-VM {ONE} 0")]);
    assert_eq!(oddities.len(), 1);
    assert!(oddities[0].starts_with("i-2-1-VM has several NICs with MAC 06:7a:88:00:00:01, "), "{oddities:?}");
    // One was plugged, and the server has not told of it yet.
    inventory.vms[0].nics.truncate(1);
    assert_eq!(declared(&inventory, &taps).0, ports);
    // On networks without security groups nothing is touched.
    inventory.vms[0].nics[0].network = "net-2".to_owned();
    assert_eq!(declared(&inventory, &taps), (vec![], vec![]));
}

#[test]
fn prefixes_and_addresses_that_are_odd() {
    let mut inventory = inventory();
    inventory.networks[0].cidr = Some("2001:db8:1::/48".parse().unwrap());
    inventory.vms[0].nics[0].secondary.push(Secondary::Address("fe80::1".parse().unwrap()));
    inventory.vms[0].nics[0].secondary.push(Secondary::Delegated("::/3".parse().unwrap()));
    inventory.unlisted = vec!["vm-9".to_owned()];
    let declared = translate(&inventory, &taps(&[1]));
    let port = &declared.declarations.ports[0];
    // What it would have formed from the prefix is listed, and so is its own.
    assert_eq!(
        (declared.declarations.networks[0].prefixes.len(), port.addresses.len(), port.delegated.len()),
        (0, 2, 1)
    );
    assert_eq!(
        messages(&declared),
        [
            "1 VMs are in security groups and not listed, vm-9 for one; their addresses are in no group",
            "network \"pod net-1\" has 2001:db8:1::/48: a /48, and VMs form addresses from a /64 only; write the announced /64; \
             VMs on it have the addresses that CloudStack lists, and no more",
            "i-2-1-VM is given fe80::1/128: reaches into the link-local addresses (fe80::/10); write addresses that are the VM's \
             own; it may not use it",
            "i-2-1-VM is given ::/3: reaches into the unspecified address (::); write addresses that are the VM's own; it may not \
             use it",
        ]
    );
    // A NIC's own prefix is the network's too.
    inventory.vms[1].nics[0].cidr = Some("2001:db8:2::/64".parse().unwrap());
    let declared = translate(&inventory, &taps(&[1])).declarations;
    assert_eq!(declared.networks[0].prefixes, ["2001:db8:2::/64".parse().unwrap()]);
    Model::assemble([declared]).unwrap();
}

/// The peers of the ruleset that the one port has for what comes in.
fn peers(inventory: &Inventory) -> usize {
    let model = Model::assemble([declare(inventory, &taps(&[1]))]).unwrap();
    let image = compile::compile(&model, &Settings::default()).unwrap();
    let rules = image.ports["vnet1"].rules.clone().unwrap();
    let Access::Rules(ruleset) = rules.ingress else { panic!("{rules:?}") };
    ruleset.entries().len()
}

/// A group costs an entry a member; who comes or goes, one write. Its members' VMs are not copied into any rule.
#[test]
fn ten_thousand_members() {
    let mut inventory = inventory();
    inventory.groups[1].ingress = vec![rule("tcp", Some((5432, 5432)), peer_group("db"))];
    inventory.vms.extend((3..10_002).map(|number| vm(number, &format!("host-{}", number % 97), &["g-db"])));
    let begun = Instant::now();
    assert_eq!(peers(&inventory), 10_000);
    println!("10 000 members declared and compiled in {:?}", begun.elapsed());
    inventory.vms.push(vm(10_002, "host-5", &["g-db"]));
    assert_eq!(peers(&inventory), 10_001);
    let declared = declare(&inventory, &taps(&[1]));
    let written: usize =
        declared.groups.iter().flat_map(|group| group.ingress.iter()).map(|rule| rule.peers.len()).sum();
    assert_eq!(written, 1);
    inventory.vms.truncate(2);
    assert_eq!(peers(&inventory), 1);
}

#[test]
fn a_group_that_is_its_own_peer() {
    let mut inventory = inventory();
    inventory.groups[1].ingress = vec![rule("all", None, peer_group("web"))];
    inventory.vms[1].groups = vec!["g-web".to_owned()];
    let declared = declare(&inventory, &taps(&[1]));
    let [web] = &declared.groups[..] else { panic!("{declared:?}") };
    assert_eq!(web.ingress[0].peers, [state::Peer::Group(web.name.clone())]);
    // VM 1's address and its two others, VM 2's.
    assert_eq!((web.members.len(), peers(&inventory)), (4, 4));
}

#[test]
fn what_is_written_down_is_read() {
    let inventory = inventory();
    let text = serde_json::to_string(&inventory).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), inventory);
    let wrong = text.replacen("06:7a:88:00:00:01", "06:7a", 1);
    assert!(serde_json::from_str::<Inventory>(&wrong).is_err());
}
