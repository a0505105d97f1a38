//! The daemon that asks the management server itself: what it answers is enforced, and stays when it answers no more.

use std::net::Ipv6Addr;
use std::process::Command;

use ipv6_sg::kernel::Pins;
use ipv6_sg_common::abi::{Direction, maps};
use ipv6_sg_common::mac::Mac;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{flags::SYN, tcp};
use ipv6_sg_tests::lab::{CloudHost, Guest, Ip, Nic, eventually, run};
use ipv6_sg_tests::management::{Cloud, Fault, HERE, Management, id};
use serde_json::json;

/// A VM of the management server's, behind its tap.
fn plug(host: &CloudHost, number: u32) -> Guest {
    host.hypervisor.tapped(&format!("vnet{number}"), Cloud::mac(number), Ip::Silent)
}

/// Whether somebody may open a connection to port 22 of a VM.
#[track_caller]
fn opens(host: &CloudHost, guest: &Guest, number: u32, from: Ipv6Addr, port: u16) -> bool {
    let syn = tcp(port, 22, SYN);
    let reason = host.judged(guest, Direction::ToVm, from, Cloud::address(number), syn);
    assert!([Reason::Allowed, Reason::IngressDenied].contains(&reason), "{reason:?}");
    reason == Reason::Allowed
}

/// How many peers the kernel holds.
fn peers(host: &CloudHost) -> usize {
    let path = Pins::new(&host.hypervisor.site.pins).map(maps::PEERS);
    let dump = run(Command::new("bpftool").args(["-j", "map", "dump", "pinned"]).arg(path));
    let entries: serde_json::Value = serde_json::from_str(&dump).expect("bpftool prints JSON");
    entries.as_array().expect("a list").len()
}

#[test]
fn what_the_management_server_answers_is_enforced() {
    let host = CloudHost::new("");
    host.hypervisor.netns.ip("link set lo up");
    let mut cloud = Cloud::default();
    let ssh = json!([{ "protocol": "tcp", "startport": 22, "endport": 22, "securitygroupname": "admins", "account": "admin" }]);
    cloud.group(1, "web", ssh, json!([]));
    cloud.group(2, "admins", json!([]), json!([]));
    cloud.vm(1, HERE, &[1]);
    cloud.vm(7, &id("host", 2), &[2]);
    let management = host.hypervisor.netns.inside(|| Management::start(cloud));
    let config = management.config(&host.hypervisor.site.path(""));
    host.hypervisor.cloudstack(&format!(
        "[source.cloudstack]\nurl = {:?}\napi_key_file = {:?}\nsecret_key_file = {:?}\nhost = \"kvm1\"\ninterval = 5\n",
        config.url, config.api_key_file, config.secret_key_file
    ));
    host.hypervisor.netns.ip("link del vnet1");
    let vm = plug(&host, 1);
    let mut daemon = host.hypervisor.daemon();
    host.hypervisor.wait_guarded("vnet1");
    let rules = host.hypervisor.ask("rules vnet1");
    assert!(rules.contains("i-2-1-VM") && rules.contains("tcp 22 from group:cloudstack:admin/admins#"), "{rules}");
    assert!(opens(&host, &vm, 1, Cloud::address(7), 1001) && !opens(&host, &vm, 1, Cloud::address(8), 1002));
    let before = peers(&host);

    // A member comes, on another host: one entry more, and it may.
    management.change(|cloud| drop(cloud.vm(8, &id("host", 2), &[2]).clone()));
    eventually("the second member", || (peers(&host) == before + 1).then_some(()));
    assert!(opens(&host, &vm, 1, Cloud::address(8), 1003));

    // The server is away, or talks nonsense: nothing changes, and it is said once. A restart finds what was said last.
    management.fail("", Fault::Says(503, "<html>".to_owned()));
    daemon.wait_for("CloudStack does not answer, what it last said stays: ");
    assert!(opens(&host, &vm, 1, Cloud::address(8), 1004));
    drop(daemon);
    let mut daemon = host.hypervisor.daemon();
    assert!(opens(&host, &vm, 1, Cloud::address(8), 1005));
    daemon.wait_for("CloudStack does not answer, what it last said stays: ");
    // What it last said is lost too: what is enforced is left as it is until it is known again.
    drop(daemon);
    std::fs::write(host.hypervisor.site.path("data/cloudstack-api.json"), "{").expect("our own directory");
    let mut daemon = host.hypervisor.daemon();
    daemon.wait_for("holds no answer of CloudStack");
    assert!(opens(&host, &vm, 1, Cloud::address(8), 1006));

    // It answers again. A member goes, and what it opened is cut; a VM of this host comes.
    management.change(|cloud| cloud.vms.retain(|vm| vm["instancename"] != "i-2-8-VM"));
    management.mend();
    daemon.wait_for("CloudStack answers again");
    eventually("one member less", || (peers(&host) == before).then_some(()));
    assert!(!opens(&host, &vm, 1, Cloud::address(8), 1006));
    management.change(|cloud| drop(cloud.vm(2, HERE, &[]).clone()));
    let second = plug(&host, 2);
    host.hypervisor.wait_guarded("vnet2");
    assert!(!opens(&host, &second, 2, Cloud::address(7), 1007));
    // Another VM has the same MAC, but for the first octet: the one that is guarded stays so.
    let [_, rest @ ..] = Cloud::mac(2).octets;
    let alike = Mac { octets: [&[0x02], &rest[..]].concat().try_into().expect("six octets") };
    management.change(|cloud| {
        let twin = cloud.vm(9, HERE, &[]);
        twin["nic"][0]["macaddress"] = alike.to_string().into();
    });
    daemon.wait_for("they are left as they are");
    host.agent().done("can_bridge_firewall --privnic up0");
    assert_eq!(host.hypervisor.programs("vnet2"), 2);
    // It has a tap too, and libvirt says which.
    let twin = host.hypervisor.tapped("vnet9", alike, Ip::Silent);
    for (number, guest) in [(2, &second), (9, &twin)] {
        let nic = Nic::new(number, guest);
        host.agent().run(&nic.vm, number, &[&nic]);
    }
    host.hypervisor.wait_guarded("vnet9");
    let whose = |tap: &str| host.hypervisor.json(&format!("ports {tap}"))[0]["vm"].clone();
    assert_eq!((whose("vnet2"), whose("vnet9")), ("i-2-2-VM".into(), "i-2-9-VM".into()));
    management.change(|cloud| cloud.vms.retain(|vm| vm["instancename"] != "i-2-9-VM"));
    // One that CloudStack does not run here any more is let go.
    management.change(|cloud| cloud.vms.retain(|vm| vm["instancename"] != "i-2-2-VM"));
    host.hypervisor.wait_released("vnet2");
    assert!(opens(&host, &vm, 1, Cloud::address(7), 1008));
    let said = daemon.lines().join("\n");
    assert!(!said.contains(ipv6_sg_tests::management::SECRET_KEY), "the log has the key");
}
