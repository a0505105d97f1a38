use serde_json::{from_value, json};

use super::*;

#[test]
fn a_vm() {
    let item = json!({
        "id": "v1", "name": "web1", "instancename": "i-2-5-VM", "state": "Migrating", "hostid": "h1", "cpunumber": 1,
        "securitygroup": [{"id": "g2", "name": "web"}, {"id": "g1"}, {"id": "g2"}],
        "nic": [
            {
                "id": "n1", "networkid": "w1", "macaddress": "06:7a:88:00:00:8b", "ipaddress": "192.0.2.5",
                "ip6address": "2001:db8:1:0:47a:88ff:fe00:8b", "ip6cidr": "2001:db8:1::1/64", "ip6gateway": "fe80::1",
                "secondaryip": [
                    {"id": "s", "ipaddress": "192.0.2.6"}, {"ipaddress": "2001:db8:f000:10::/60"}, {"ipaddress": ""},
                    {"ipaddress": "2001:db8:1::100"}, {"ipaddress": "2001:db8:1::101/128"}, {"ipaddress": "10.0.0.0/8"},
                ],
            },
            {"networkid": "w2", "macaddress": "06:7a:88:00:00:8c", "secondaryip": null},
            {"networkid": "w3", "macaddress": null},
        ],
    });
    let item: VmItem = from_value(item).unwrap();
    let vm = item.keep_if_it_runs().unwrap().unwrap();
    assert_eq!((vm.name.as_str(), vm.host.as_deref(), vm.migrating), ("i-2-5-VM", Some("h1"), true));
    assert_eq!(vm.groups, ["g1", "g2"]);
    let [one, two] = &vm.nics[..] else { panic!("{vm:?}") };
    assert_eq!(one.cidr, Some("2001:db8:1::/64".parse().unwrap()));
    assert_eq!(
        one.secondary,
        [
            Secondary::Address("2001:db8:1::100".parse().unwrap()),
            Secondary::Address("2001:db8:1::101".parse().unwrap()),
            Secondary::Delegated("2001:db8:f000:10::/60".parse().unwrap()),
        ]
    );
    assert_eq!((two.address, two.cidr, two.secondary.len()), (None, None, 0));
}

#[test]
fn states() {
    for (state, runs) in [("Running", true), ("Starting", true), ("Stopping", true), ("Unknown", true)]
        .into_iter()
        .chain(["Stopped", "Destroyed", "Expunging", "Error", "Shutdown", ""].map(|state| (state, false)))
    {
        let item: VmItem = from_value(json!({"id": "v", "state": state, "instancename": "i"})).unwrap();
        assert_eq!(item.keep_if_it_runs().unwrap().is_some(), runs, "{state}");
    }
}

#[test]
fn what_is_not_cloudstacks() {
    let vm = |nic: serde_json::Value| {
        from_value::<VmItem>(json!({"id": "v", "state": "Running", "instancename": "i", "nic": [nic]})).unwrap().keep()
    };
    let nic = |key: &str, value: &str| {
        let mut nic = json!({"networkid": "w", "macaddress": "06:00:00:00:00:01"});
        nic[key] = json!(value);
        if key == "secondaryip" {
            nic[key] = json!([{ "ipaddress": value }]);
        }
        vm(nic).unwrap_err()
    };
    assert_eq!(nic("macaddress", "06:00"), r#"virtualmachine v: macaddress "06:00" is no MAC"#);
    assert_eq!(nic("ip6address", "2001:db8::/64"), r#"virtualmachine v: ip6address "2001:db8::/64" is none"#);
    assert_eq!(nic("ip6cidr", "2001:db8::"), r#"virtualmachine v: ip6cidr "2001:db8::" is none"#);
    assert_eq!(nic("secondaryip", "x"), r#"virtualmachine v: secondaryip "x" is none"#);
    let nobody = from_value::<VmItem>(json!({"id": "v", "state": "Running"})).unwrap().keep().unwrap_err();
    assert_eq!(nobody, "virtualmachine v: no instancename; the user must be a root admin");
    let network = from_value::<NetworkItem>(json!({"id": "w", "ip6cidr": "x"})).unwrap().keep().unwrap_err();
    assert_eq!(network, r#"network w: ip6cidr "x" is none"#);
}

#[test]
fn rules_and_networks() {
    let item = json!({
        "id": "g1", "name": "web", "account": "admin", "domainid": "d1", "virtualmachineids": ["v1"],
        "ingressrule": [
            {"ruleid": "r", "protocol": "tcp", "startport": 22, "endport": "23", "cidr": "::/0"},
            {"protocol": "icmp", "icmptype": 128, "icmpcode": -1, "securitygroupname": "db", "account": "other"},
            {"protocol": "all", "cidr": ""},
        ],
        "egressrule": null,
    });
    let group = from_value::<GroupItem>(item).unwrap().keep();
    let rule = |protocol: &str, first, last, peer| Rule { protocol: protocol.to_owned(), first, last, peer };
    let db = Peer::Group { name: "db".to_owned(), account: Some("other".to_owned()) };
    assert_eq!(
        group.ingress,
        [
            rule("tcp", Some(22), Some(23), Peer::Cidr("::/0".to_owned())),
            rule("icmp", Some(128), Some(-1), db),
            rule("all", None, None, Peer::Nobody),
        ]
    );
    assert_eq!((group.egress.len(), group.project), (0, None));
    for (services, wanted) in [(json!([{"name": "Dhcp"}, {"name": "SecurityGroup"}]), true), (json!([]), false)] {
        let network = json!({"id": "w1", "name": "pod", "ip6cidr": null, "service": services});
        assert_eq!(from_value::<NetworkItem>(network).unwrap().keep().unwrap().security_groups, wanted);
    }
}
