//! More peers than the kernel tells of at once: all are read, as they lie, and what somebody changed among them is seen.

use ipv6_sg_common::abi::maps;
use ipv6_sg_tests::lab::{Hypervisor, Ip, bytes, eventually, hex};
use ipv6_sg_tests::world::VM_MAC;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Twice and a half as many as are read with one call.
const MEMBERS: u16 = 10_000;

/// What the kernel has of vm1's peers, by address.
fn table(hypervisor: &Hypervisor) -> Value {
    hypervisor.json("rules vm1")[0]["enforced"]["ingress"]["table"].clone()
}

#[test]
fn thousands_of_peers_are_read_as_they_lie() {
    let hypervisor = Hypervisor::new();
    let _vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    // By address, which is how they are listed.
    let members: Vec<_> = (1..=MEMBERS).map(|host| format!("2001:db8:5::{host:x}")).collect();
    let listed: Vec<_> = members.iter().map(|member| format!("\"{member}/128\"")).collect();
    let rule = "{ protocol = \"tcp\", ports = \"22\", peers = [\"group:members\"] }";
    let groups = format!(
        "[security_group.web]\ningress = [{rule}]\n[security_group.members]\nmembers = [{}]\n",
        listed.join(", ")
    );
    hypervisor.groups(&groups);
    hypervisor.port("vm1", VM_MAC, "security_groups = [\"web\"]");
    let daemon = hypervisor.daemon();
    hypervisor.wait_guarded("vm1");

    let allowed = json!([{"protocol": "tcp", "ports": "22"}]);
    let whole = Value::Array(members.iter().map(|member| json!({"prefix": member, "allowed": allowed})).collect());
    // No `assert_eq`: it would print all of them.
    assert!(table(&hypervisor) == whole, "not the {MEMBERS} members that are written");
    let rules = || hypervisor.json("status")["rules"].clone();
    assert_eq!(
        (&rules()["rulesets"], &rules()["peers"], &rules()["services"]),
        (&json!(1), &json!(MEMBERS), &json!(1))
    );

    // One is removed behind the daemon's back: the first, one in the middle, the last that the kernel tells of.
    let dump = hypervisor.bpftool("dump", maps::PEERS, "");
    let entries = dump.as_array().expect("a list");
    for index in [0, entries.len() / 2, entries.len() - 1] {
        hypervisor.bpftool("delete", maps::PEERS, &hex("key", &bytes(&entries[index]["key"])));
        assert_eq!(rules()["peers"], json!(MEMBERS - 1));
        daemon.signal(Signal::SIGHUP);
        eventually("all members again", || (rules()["peers"] == json!(MEMBERS)).then_some(()));
    }
    assert!(table(&hypervisor) == whole, "not the {MEMBERS} members that are written");
    daemon.assert_never("ERROR");
}
