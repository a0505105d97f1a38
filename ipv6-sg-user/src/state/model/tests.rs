use std::path::Path;

use super::*;
use crate::state::file;

const NETWORKS: &str = r#"
[network.pod1]
prefixes = ["2001:db8:1::/64"]
[network.pod2]
prefixes = ["2001:db8:2::/64"]
[security_group.web]
"#;

/// One port in one line; `more` is TOML.
fn port(vm: &str, interface: &str, mac: &str, network: &str, more: &str) -> String {
    format!("[[port]]\nvm = {vm:?}\ninterface = {interface:?}\nmac = {mac:?}\nnetwork = {network:?}\n{more}\n")
}

/// What several files say together: a.toml, b.toml, …
fn assemble(texts: &[&str]) -> Result<Model, String> {
    let sources: Result<Vec<_>, _> =
        texts.iter().zip('a'..).map(|(text, name)| file::parse(Path::new(&format!("{name}.toml")), text)).collect();
    Model::assemble(sources.expect("each file is sound alone")).map_err(|error| error.to_string())
}

/// The first port, of VM a, is in a.toml; the second, of VM b, in b.toml.
fn two(first: &str, second: &str) -> Result<Model, String> {
    let first = port("a", "vnet0", "02:00:00:00:00:01", "pod1", first);
    let second = port("b", "vnet1", "02:00:00:00:00:02", "pod1", second);
    assemble(&[&format!("{NETWORKS}{first}"), &second])
}

#[test]
fn names_of_any_file_are_known() {
    let b = port("b", "vnet1", "02:00:00:00:00:02", "pod1", "security_groups = [\"web\"]");
    let peers = "[security_group.x]\ningress = [{ protocol = \"all\", peers = [\"group:web\"] }]";
    let model = assemble(&[&b, peers, NETWORKS]).unwrap();
    assert_eq!(model.ports().keys().collect::<Vec<_>>(), ["vnet1"]);
    assert_eq!(model.networks().keys().collect::<Vec<_>>(), ["pod1", "pod2"]);
    assert_eq!(model.groups().keys().collect::<Vec<_>>(), ["web", "x"]);
    assert_eq!(model.ports_on_networks().count(), 1);
}

#[test]
fn unknown_names() {
    let b = port("b", "vnet1", "02:00:00:00:00:02", "pod9", "");
    assert_eq!(
        assemble(&[NETWORKS, &b]),
        Err(r#"b.toml:2: port "b" network = "pod9": no such network; define [network.pod9] in any state file, or name one that is"#.into())
    );
    let b = port("b", "vnet1", "02:00:00:00:00:02", "pod1", "security_groups = [\"web\", \"db\"]");
    assert_eq!(
        assemble(&[NETWORKS, &b]),
        Err(r#"b.toml:2: port "b" security_groups[1] = "db": no such security group; define [security_group.db] in any state file, or name one that is"#.into())
    );
    let peers = "[security_group.x]\negress = [{ protocol = \"all\", peers = [\"::/0\", \"group:y\"] }]";
    assert_eq!(
        assemble(&[NETWORKS, peers]),
        Err(r#"b.toml:1: security_group "x" egress[0].peers[1] = "group:y": no such security group; define [security_group.y] in any state file, or name one that is"#.into())
    );
}

#[test]
fn names_defined_twice() {
    assert_eq!(
        assemble(&[NETWORKS, "", "[network.pod2]\nprefixes = []"]),
        Err(r#"c.toml:1: network = "pod2": already defined at a.toml:4; remove one"#.into())
    );
    assert_eq!(
        assemble(&[NETWORKS, "\n[security_group.web]"]),
        Err(r#"b.toml:2: security_group = "web": already defined at a.toml:6; remove one"#.into())
    );
}

#[test]
fn one_interface_one_port() {
    let a = port("a", "vnet0", "02:00:00:00:00:01", "pod1", "");
    let b = port("b", "vnet0", "02:00:00:00:00:02", "pod1", "");
    assert_eq!(
        assemble(&[NETWORKS, &a, &b]),
        Err(r#"c.toml:2: port "b" interface = "vnet0": already the interface of VM "a" at b.toml:2; give each port its own"#.into())
    );
}

#[test]
fn one_mac_one_port_in_a_network() {
    let a = port("a", "vnet0", "02:00:00:00:00:01", "pod1", "");
    let b = port("b", "vnet1", "02:00:00:00:00:01", "pod1", "");
    assert_eq!(
        assemble(&[NETWORKS, &a, &b]),
        Err(r#"c.toml:2: port "b" mac = "02:00:00:00:00:01": already the MAC of VM "a" in network "pod1" at b.toml:2; give each port of a network its own"#.into())
    );
    let elsewhere = port("b", "vnet1", "02:00:00:00:00:01", "pod2", "");
    assert!(assemble(&[NETWORKS, &a, &elsewhere]).is_ok());
}

#[test]
fn delegations_that_clash() {
    for (first, second, message) in [
        (
            "delegated = [\"2001:db8:f000::/60\"]",
            "delegated = [\"2001:db8:e000::/60\", \"2001:db8:f000::/60\"]",
            r#"b.toml:2: port "b" delegated[1] = "2001:db8:f000::/60": already delegated to VM "a" at a.toml:8; delegate it once"#,
        ),
        (
            "delegated = [\"2001:db8:f000::/56\"]",
            "delegated = [\"2001:db8:f000:10::/60\"]",
            r#"b.toml:2: port "b" delegated[0] = "2001:db8:f000:10::/60": overlaps 2001:db8:f000::/56, which is delegated to VM "a" at a.toml:8; delegate each address to one VM"#,
        ),
        (
            // The later one is the wider one.
            "delegated = [\"2001:db8:f000:10::/60\"]",
            "delegated = [\"2001:db8:f000::/56\"]",
            r#"b.toml:2: port "b" delegated[0] = "2001:db8:f000::/56": overlaps 2001:db8:f000:10::/60, which is delegated to VM "a" at a.toml:8; delegate each address to one VM"#,
        ),
        (
            // Within a prefix that is within another one of the same VM.
            "delegated = [\"2001:db8:f000::/48\", \"2001:db8:f000:10::/60\"]",
            "delegated = [\"2001:db8:f000:11::/64\"]",
            r#"b.toml:2: port "b" delegated[0] = "2001:db8:f000:11::/64": overlaps 2001:db8:f000:10::/60, which is delegated to VM "a" at a.toml:8; delegate each address to one VM"#,
        ),
        (
            // After the inner prefix is closed, the outer one is still open.
            "delegated = [\"2001:db8:f000::/48\", \"2001:db8:f000:10::/60\"]",
            "delegated = [\"2001:db8:f000:20::/64\"]",
            r#"b.toml:2: port "b" delegated[0] = "2001:db8:f000:20::/64": overlaps 2001:db8:f000::/48, which is delegated to VM "a" at a.toml:8; delegate each address to one VM"#,
        ),
        (
            "delegated = [\"2001:db8:1::/48\"]",
            "",
            r#"a.toml:8: port "a" delegated[0] = "2001:db8:1::/48": overlaps 2001:db8:1::/64 of network "pod1" at a.toml:2: its VM could use its neighbours' addresses; delegate a prefix of its own"#,
        ),
        (
            "",
            "delegated = [\"2001:db8:2:0:8000::/65\"]",
            r#"b.toml:2: port "b" delegated[0] = "2001:db8:2:0:8000::/65": overlaps 2001:db8:2::/64 of network "pod2" at a.toml:4: its VM could use its neighbours' addresses; delegate a prefix of its own"#,
        ),
        (
            "",
            "delegated = [\"2001:db8:1::/64\"]",
            r#"b.toml:2: port "b" delegated[0] = "2001:db8:1::/64": overlaps 2001:db8:1::/64 of network "pod1" at a.toml:2: its VM could use its neighbours' addresses; delegate a prefix of its own"#,
        ),
    ] {
        assert_eq!(two(first, second), Err(message.to_owned()));
    }
}

#[test]
fn delegations_that_do_not_clash() {
    for (first, second) in [
        ("delegated = [\"2001:db8:f000::/60\"]", "delegated = [\"2001:db8:f000:10::/60\"]"),
        ("delegated = [\"2001:db8:f000::/56\", \"2001:db8:f000:10::/60\"]", "delegated = [\"2001:db8:f000:100::/56\"]"),
        ("delegated = [\"2001:db8:f000::/56\"]\naddresses = [\"2001:db8:f000::1\"]", ""),
    ] {
        assert!(two(first, second).is_ok(), "{first} {second}");
    }
    // Two ports of one VM: nested is its own business, the same prefix on both is not.
    let ports = |more: &str| {
        let one = port("a", "vnet0", "02:00:00:00:00:01", "pod1", "delegated = [\"2001:db8:f000::/56\"]");
        format!("{NETWORKS}{one}{}", port("a", "vnet1", "02:00:00:00:00:02", "pod2", more))
    };
    assert!(assemble(&[&ports("delegated = [\"2001:db8:f000:10::/60\"]")]).is_ok());
    assert_eq!(
        assemble(&[&ports("delegated = [\"2001:db8:f000::/56\"]")]),
        Err(r#"a.toml:14: port "a" delegated[0] = "2001:db8:f000::/56": already delegated to VM "a" at a.toml:8; delegate it once"#.into())
    );
}

#[test]
fn addresses_that_clash() {
    for (first, second, message) in [
        (
            "addresses = [\"2001:db8:1::100\"]",
            "addresses = [\"2001:db8:1::100\"]",
            r#"b.toml:2: port "b" addresses[0] = "2001:db8:1::100": already an address of VM "a" (vnet0) at a.toml:8; give each address to one port"#,
        ),
        (
            "",
            "addresses = [\"2001:db8:1::1\", \"2001:db8:1:0:0:ff:fe00:1\"]",
            r#"b.toml:2: port "b" addresses[1] = "2001:db8:1::ff:fe00:1": already an address of VM "a" (vnet0) at a.toml:8; give each address to one port"#,
        ),
        (
            // What follows from a MAC stands, even when it was written later.
            "addresses = [\"2001:db8:1:0:0:ff:fe00:2\"]",
            "",
            r#"a.toml:8: port "a" addresses[0] = "2001:db8:1::ff:fe00:2": already an address of VM "b" (vnet1) at b.toml:2; give each address to one port"#,
        ),
        (
            "delegated = [\"2001:db8:f000::/56\"]",
            "addresses = [\"2001:db8:f000::5\"]",
            r#"b.toml:2: port "b" addresses[0] = "2001:db8:f000::5": inside 2001:db8:f000::/56, which is delegated to VM "a" at a.toml:8; give each address to one VM"#,
        ),
        (
            "addresses = [\"2001:db8:f000::5\"]",
            "delegated = [\"2001:db8:f000::5/128\"]",
            r#"a.toml:8: port "a" addresses[0] = "2001:db8:f000::5": inside 2001:db8:f000::5/128, which is delegated to VM "b" at b.toml:2; give each address to one VM"#,
        ),
    ] {
        assert_eq!(two(first, second), Err(message.to_owned()));
    }
    // A port may list the address that it forms anyway.
    assert!(two("addresses = [\"2001:db8:1:0:0:ff:fe00:1\"]", "").is_ok());
    // Another port's is taken even when the VM is the same.
    let one = port("a", "vnet0", "02:00:00:00:00:01", "pod1", "");
    let other = port("a", "vnet1", "02:00:00:00:00:02", "pod1", "addresses = [\"2001:db8:1:0:0:ff:fe00:1\"]");
    assert_eq!(
        assemble(&[NETWORKS, &one, &other]),
        Err(r#"c.toml:2: port "a" addresses[0] = "2001:db8:1::ff:fe00:1": already an address of VM "a" (vnet0) at b.toml:2; give each address to one port"#.into())
    );
    // Two links with one /64, and one MAC on both.
    let both = "[network.x]\nprefixes = [\"2001:db8:1::/64\"]\n";
    let a = port("a", "vnet0", "02:00:00:00:00:01", "pod1", "");
    let b = port("b", "vnet1", "02:00:00:00:00:01", "x", "");
    assert_eq!(
        assemble(&[NETWORKS, both, &a, &b]),
        Err(r#"d.toml:2: port "b" mac's address = "2001:db8:1::ff:fe00:1": already an address of VM "a" (vnet0) at c.toml:2; give each address to one port"#.into())
    );
}
