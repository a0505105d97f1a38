//! The management server's API, asked over HTTP: everything it lists arrives, and becomes ports, networks and groups.

use std::collections::BTreeSet;
use std::fs;

use ipv6_sg::cloudstack::Taps;
use ipv6_sg::cloudstack::api::{self, Client, Config, Inventory};
use ipv6_sg::compile::{self, Access};
use ipv6_sg::state::{Declarations, Model, Settings};
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::management::{Cloud, HERE, IMPATIENT, Management, id};
use serde_json::json;

fn inventory(config: &Config) -> Result<Inventory, String> {
    let client = Client::with_limits(config, IMPATIENT).map_err(|error| error.to_string())?;
    client.inventory().map_err(|error| error.to_string())
}

/// Group 1, `web`, which VM 1 on this host is in, lets group 2, `db`, in.
fn cloud() -> Cloud {
    let mut cloud = Cloud::default();
    let web = json!([
        { "ruleid": "r1", "protocol": "tcp", "startport": 22, "endport": 22, "cidr": "::/0" },
        { "ruleid": "r2", "protocol": "tcp", "startport": 22, "endport": 22, "cidr": "0.0.0.0/0" },
        { "ruleid": "r3", "protocol": "tcp", "startport": 80, "endport": 80, "securitygroupname": "db", "account": "admin" },
    ]);
    cloud.group(1, "web", web, json!([]));
    cloud.group(2, "db", json!([]), json!([]));
    cloud.vm(1, HERE, &[1]);
    cloud
}

/// The taps of VMs with these numbers, as libvirt makes them.
fn taps(numbers: &[u32]) -> Taps {
    let tap = |number: u32| {
        let [_, rest @ ..] = Cloud::mac(number).octets;
        let [a, b, c, d, e] = rest;
        (format!("vnet{number}"), Mac { octets: [0xfe, a, b, c, d, e] })
    };
    Taps::new(numbers.iter().map(|number| tap(*number)))
}

fn peers(declarations: Declarations) -> usize {
    let model = Model::assemble([declarations]).expect("sound");
    let image = compile::compile(&model, &Settings::default()).expect("it fits");
    let Some(Access::Rules(rules)) = image.ports["vnet1"].rules.as_ref().map(|rules| &rules.ingress) else {
        panic!("no rules: {image:?}")
    };
    rules.entries().len()
}

#[test]
fn what_is_listed_becomes_desired_state() {
    let directory = tempfile::tempdir().expect("a place");
    let mut cloud = cloud();
    cloud.vm(1 << 16, &id("host", 2), &[2]);
    // One that does not run, one that does and has another network too, one of a project.
    cloud.vm(3, HERE, &[1])["state"] = json!("Stopped");
    let nic = json!({ "networkid": id("network", 2), "macaddress": "06:7a:88:ff:00:01" });
    cloud.vm(4, HERE, &[])["nic"].as_array_mut().expect("NICs").push(nic);
    cloud.vm(5, HERE, &[])["projectid"] = json!("p");
    cloud.networks[1]["projectid"] = json!("p");
    let management = Management::start(cloud);
    let inventory = inventory(&management.config(directory.path())).expect("an answer");
    assert_eq!((inventory.host.id.as_str(), inventory.host.name.as_str()), (HERE, "kvm1"));
    let names: BTreeSet<_> = inventory.vms.iter().map(|vm| vm.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["i-2-1-VM", "i-2-65536-VM", "i-2-4-VM", "i-2-5-VM"]));

    let declared = api::translate(&inventory, &taps(&[1, 3, 4, 5, 0xff_00_01]));
    assert_eq!(declared.oddities, []);
    let ports = &declared.declarations.ports;
    let interfaces: Vec<_> = ports.iter().map(|port| port.interface.as_str()).collect();
    assert_eq!(interfaces, ["vnet1", "vnet4", "vnet5"]);
    assert_eq!(declared.declarations.networks.len(), 1);
    assert_eq!(ports[0].security_groups.as_ref().map(Vec::len), Some(1));
    assert_eq!(ports[1].security_groups, Some(vec![]));
    assert_eq!(peers(declared.declarations), 2);
    for asked in management.asked() {
        assert_eq!(asked.refusal, None, "{asked:?}");
        assert_eq!(asked.get("response"), Some("json"));
        assert_eq!(asked.get("signatureversion"), Some("3"));
    }
}

#[test]
fn many_pages() {
    let directory = tempfile::tempdir().expect("a place");
    let mut cloud = cloud();
    for number in 2..=1201 {
        cloud.vm(number, &id("host", number), &[2]);
    }
    let management = Management::start(cloud);
    let inventory = inventory(&management.config(directory.path())).expect("an answer");
    assert_eq!(inventory.vms.len(), 1201);
    let asked = management.asked();
    let pages = |command: &str| {
        let of = asked.iter().filter(|asked| asked.command() == command && asked.get("hostid").is_none());
        of.map(|asked| (asked.get("page").map(str::to_owned), asked.get("pagesize").map(str::to_owned)))
            .collect::<Vec<_>>()
    };
    let page = |number: &str| (Some(number.to_owned()), Some("500".to_owned()));
    assert_eq!(pages("listVirtualMachines"), [page("1"), page("2"), page("3")]);
    assert_eq!(pages("listSecurityGroups"), [page("1")]);
    let everybodys = asked.iter().filter(|asked| asked.get("listall") == Some("true"));
    assert!(everybodys.filter(|asked| asked.get("projectid") == Some("-1")).count() >= 5);
}

/// A group of ten thousand is one peer in a rule, an entry for each member, and one more for one more.
#[test]
fn ten_thousand_members() {
    let directory = tempfile::tempdir().expect("a place");
    let mut cloud = cloud();
    for number in 2..=10_001 {
        cloud.vm(number, &id("host", number % 97), &[2]);
    }
    let management = Management::start(cloud);
    let config = management.config(directory.path());
    let client = Client::new(&config).expect("sound settings");
    let declare = || api::declare(&client.inventory().expect("an answer"), &taps(&[1]));
    let before = declare();
    management.change(|cloud| {
        cloud.vm(10_002, &id("host", 5), &[2]);
    });
    let after = declare();
    let rules = |of: &Declarations| of.groups.iter().map(|group| group.ingress.clone()).collect::<Vec<_>>();
    assert_eq!(rules(&before), rules(&after));
    // The tenth thousand and one is everybody at port 22.
    assert_eq!((peers(before), peers(after)), (10_001, 10_002));
}

#[test]
fn nothing_is_an_answer_too() {
    let directory = tempfile::tempdir().expect("a place");
    let mut cloud = Cloud::default();
    cloud.networks.clear();
    let management = Management::start(cloud);
    let inventory = inventory(&management.config(directory.path())).expect("an answer");
    assert_eq!((inventory.vms.len(), inventory.groups.len(), inventory.networks.len()), (0, 0, 0));
    assert_eq!(api::declare(&inventory, &taps(&[1])), Declarations::default());
}

#[test]
fn which_host_this_is() {
    let directory = tempfile::tempdir().expect("a place");
    let management = Management::start(cloud());
    let config = management.config(directory.path());
    let as_host = |host: &str| inventory(&Config { host: Some(host.to_owned()), ..config.clone() });
    // Its name is a part of another's.
    assert_eq!(as_host("kvm1").map(|inventory| inventory.host.id), Ok(HERE.to_owned()));
    assert_eq!(as_host(HERE).map(|inventory| inventory.host.name), Ok("kvm1".to_owned()));
    let end = "; set host to this host's name in CloudStack";
    assert_eq!(as_host("kvm"), Err(format!("CloudStack has no host \"kvm\", but kvm1, kvm2, kvm10{end}")));
    assert_eq!(as_host("other"), Err(format!("CloudStack has no host \"other\"{end}")));
    management.change(|cloud| cloud.hosts.push(json!({ "id": id("host", 11), "name": "kvm1" })));
    assert_eq!(as_host("kvm1"), Err("CloudStack has 2 hosts \"kvm1\"; set host to the id of this one".to_owned()));
    assert!(as_host(HERE).is_ok());
}

#[test]
fn behind_tls() {
    let directory = tempfile::tempdir().expect("a place");
    let (management, authority) = Management::start_with_tls(cloud());
    let config = management.config(directory.path());
    let ca_file = directory.path().join("ca.pem");
    fs::write(&ca_file, authority).expect("our own directory");
    let trusting = Config { ca_file: Some(ca_file), ..config.clone() };
    assert_eq!(inventory(&trusting).map(|inventory| inventory.vms.len()), Ok(1));
    // Whom nobody vouches for is not asked.
    let (stranger, _) = Management::start_with_tls(cloud());
    let error = inventory(&Config { url: stranger.url().to_owned(), ..trusting }).expect_err("an unknown authority");
    assert!(error.starts_with("listCapabilities: no answer from https://localhost:"), "{error}");
    assert_eq!(stranger.asked().len(), 0);
}
