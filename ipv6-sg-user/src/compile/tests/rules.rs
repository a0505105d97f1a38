//! Rules with small states whose tables are known by heart.

use std::sync::Arc;

use super::*;
use crate::compile::allowance::message;

/// A network with two ports, `web` on vnet0 and `db` on vnet1, and these groups and further ports.
fn image(groups: &str) -> Image {
    let text = format!(
        r#"
        [network.n]
        prefixes = ["2001:db8:1::/64"]
        [[port]]
        vm = "web"
        interface = "vnet0"
        mac = "02:00:00:00:00:01"
        network = "n"
        security_groups = ["web"]
        [[port]]
        vm = "db"
        interface = "vnet1"
        mac = "02:00:00:00:00:02"
        network = "n"
        addresses = ["2001:db8:1::100"]
        delegated = ["2001:db8:f000::/60"]
        security_groups = ["db"]
        {groups}
        "#
    );
    compile(&model(&text), &Settings::default()).unwrap()
}

fn rules<'a>(image: &'a Image, interface: &str) -> &'a PortRules {
    image.ports[interface].rules.as_ref().unwrap()
}

fn ruleset(access: &Access) -> &Arc<Ruleset> {
    let Access::Rules(ruleset) = access else { panic!("{access:?} is no ruleset") };
    ruleset
}

/// What the VM behind vnet0 lets in: each prefix with its services as protocol:number/bits, `!` where a type is named.
fn ingress(image: &Image) -> Vec<String> {
    let service = |service: Service| {
        let protocol = service.protocol.map_or("*".to_owned(), |protocol| protocol.to_string());
        format!(" {protocol}:{}/{}{}", service.number, service.bits, if service.names_type { "!" } else { "" })
    };
    let entry = |((address, length), allowance): (&Prefix, &Arc<Allowance>)| {
        format!("{address}/{length}{}", allowance.services().map(service).collect::<String>())
    };
    ruleset(&rules(image, "vnet0").ingress).entries().iter().map(entry).collect()
}

fn peer(text: &str) -> Address {
    Address::from_ip(text.parse().unwrap())
}

#[test]
fn the_example_of_the_interface() {
    let image = image(
        r#"
        [security_group.web]
        ingress = [
          { protocol = "tcp", ports = "22", peers = ["::/0"] },
          { protocol = "udp", ports = "5000-5010", peers = ["2001:db8:99::/64"] },
          { protocol = "icmpv6", type = 128, code = 0, peers = ["::/0"] },
          { protocol = "all", peers = ["group:db"] },
        ]
        egress = []
        [security_group.db]
        members = ["2001:db8:5::/64"]
        "#,
    );
    // The database's link-local address is nobody's peer: rules are about what goes beyond the link.
    assert_eq!(
        ingress(&image),
        [
            "::/0 6:22/16 58:32768/16!",
            "2001:db8:1::100/128 *:0/0 58:32768/16!",
            "2001:db8:1::ff:fe00:2/128 *:0/0 58:32768/16!",
            "2001:db8:5::/64 *:0/0 58:32768/16!",
            "2001:db8:99::/64 6:22/16 17:5000/13 17:5008/15 17:5010/16 58:32768/16!",
            "2001:db8:f000::/60 *:0/0 58:32768/16!",
        ]
    );
    assert_eq!(rules(&image, "vnet0").egress, Access::Everything);
    assert_eq!(*rules(&image, "vnet1"), PortRules { ingress: Access::Nothing, egress: Access::Everything });
    let ruleset = ruleset(&rules(&image, "vnet0").ingress);
    let allows = |text, protocol, number| ruleset.lookup(peer(text)).and_then(|one| one.allows(protocol, number));
    assert_eq!(allows("2001:db8:99::7", 17, 5010), Some(Grant::General));
    assert_eq!(allows("2001:db8:99::7", 17, 5011), None);
    assert_eq!(allows("2001:db8:99::7", 6, 22), Some(Grant::General));
    assert_eq!(allows("2001:db8:98::7", 17, 5010), None);
    assert_eq!(allows("2001:db8:f000:f::1", 132, 0), Some(Grant::General));
    assert_eq!(allows("2001:db8:f000:10::1", 132, 0), None);
    assert_eq!(allows("::", 58, message(128, 0)), Some(Grant::NamesType));
}

#[test]
fn nested_peers_have_the_union() {
    let image = image(
        r#"
        [security_group.web]
        ingress = [
          { protocol = "tcp", ports = "80", peers = ["2001:db8:8::/48", "2001:db8:8:1::/64", "2001:db8:8:1::1/128"] },
          { protocol = "tcp", ports = "22", peers = ["2001:db8::/32", "2001:db8:8:1::1/128", "2001:db8:9::/48"] },
          { protocol = "udp", ports = "1-65535", peers = ["2001:db8:8:1::1/128"] },
          { protocol = "udp", ports = "0", peers = ["2001:db8:8:1::1/128"] },
          { protocol = "47", peers = ["2001:db8:8:1::/64", "2001:db9::/32"] },
          { protocol = "tcp", ports = "80", peers = ["2001:db8:8::/48"] },
        ]
        [security_group.db]
        "#,
    );
    assert_eq!(
        ingress(&image),
        [
            "2001:db8::/32 6:22/16",
            "2001:db8:8::/48 6:22/16 6:80/16",
            "2001:db8:8:1::/64 47:0/0 6:22/16 6:80/16",
            "2001:db8:8:1::1/128 47:0/0 6:22/16 6:80/16 17:0/0",
            "2001:db9::/32 47:0/0",
        ]
    );
    assert!(ruleset(&rules(&image, "vnet0").ingress).lookup(peer("2001:dba::")).is_none());
}

#[test]
fn what_a_wider_peer_has_already_is_left_out() {
    let image = image(
        r#"
        [security_group.web]
        ingress = [
          { protocol = "all", peers = ["::/0"] },
          { protocol = "tcp", ports = "22", peers = ["2001:db8::/32", "group:db"] },
          { protocol = "icmpv6", peers = ["2001:db8:1::/48"] },
          { protocol = "icmpv6", type = 200, peers = ["2001:db8:1:1::/64"] },
          { protocol = "icmpv6", type = 200, code = 3, peers = ["2001:db8:1:1::1/128", "2001:db8:1:2::/64"] },
        ]
        [security_group.db]
        "#,
    );
    assert_eq!(
        ingress(&image),
        ["::/0 *:0/0", "2001:db8:1:1::/64 *:0/0 58:51200/8!", "2001:db8:1:2::/64 *:0/0 58:51203/16!"]
    );
}

#[test]
fn rules_without_anybody_are_no_licence() {
    let image = image(
        r#"
        [security_group.web]
        ingress = [{ protocol = "all", peers = ["group:nobody"] }]
        egress = [{ protocol = "all", peers = ["group:nobody"] }]
        [security_group.db]
        [security_group.nobody]
        "#,
    );
    let PortRules { ingress, egress } = rules(&image, "vnet0");
    assert!(ruleset(ingress).entries().is_empty());
    assert_eq!(ingress, egress);
    assert!(ruleset(egress).lookup(peer("2001:db8:1::100")).is_none());
}

#[test]
fn a_port_has_the_rules_of_all_its_groups() {
    let image = image(
        r#"
        [[port]]
        vm = "both"
        interface = "vnet2"
        mac = "02:00:00:00:00:03"
        network = "n"
        security_groups = ["db", "web"]
        [[port]]
        vm = "both again, the other way round"
        interface = "vnet3"
        mac = "02:00:00:00:00:04"
        network = "n"
        security_groups = ["web", "db"]
        [[port]]
        vm = "none"
        interface = "vnet4"
        mac = "02:00:00:00:00:05"
        network = "n"
        security_groups = []
        [[port]]
        vm = "no rules at all"
        interface = "vnet5"
        mac = "02:00:00:00:00:06"
        network = "n"
        [[port]]
        vm = "a group with the rules of another"
        interface = "vnet6"
        mac = "02:00:00:00:00:07"
        network = "n"
        security_groups = ["copy"]
        [security_group.web]
        ingress = [
          { protocol = "tcp", ports = "22", peers = ["::/0"] },
          { protocol = "udp", peers = ["2001:db8::/32"] },
        ]
        [security_group.copy]
        ingress = [
          { protocol = "udp", peers = ["2001:db8::/32"] },
          { protocol = "tcp", ports = "22", peers = ["::/0", "2001:db8:2::/48"] },
        ]
        [security_group.db]
        ingress = [{ protocol = "tcp", ports = "22-23", peers = ["::/0"] }]
        egress = [{ protocol = "tcp", ports = "22", peers = ["2001:db8:2::/48"] }]
        "#,
    );
    let both = rules(&image, "vnet2");
    let lookup = |access, text| ruleset(access).lookup(peer(text)).unwrap();
    assert_eq!(ruleset(&both.ingress).entries().len(), 2);
    for (port, number) in [(6, 22), (6, 23), (17, 9)] {
        assert_eq!(lookup(&both.ingress, "2001:db8::1").allows(port, number), Some(Grant::General));
    }
    assert_eq!(lookup(&both.ingress, "2002::1").allows(17, 9), None);
    // A rule for what leaves in one group ends the freedom of the other.
    assert!(ruleset(&both.egress).lookup(peer("2001:db8:3::1")).is_none());
    assert_eq!(*rules(&image, "vnet4"), PortRules { ingress: Access::Nothing, egress: Access::Everything });
    assert_eq!(image.ports["vnet5"].rules, None);
    // Equal rulesets are one, and so are the allowances in different ones.
    let same = |one, other| Arc::ptr_eq(ruleset(one), ruleset(other));
    let reversed = rules(&image, "vnet3");
    assert!(same(&both.ingress, &reversed.ingress) && same(&both.egress, &reversed.egress));
    let (web, copy) = (&rules(&image, "vnet0").ingress, &rules(&image, "vnet6").ingress);
    assert!(same(web, copy) && !same(web, &both.ingress));
    assert!(std::ptr::eq(lookup(web, "2002::1"), lookup(&both.egress, "2001:db8:2::1")));
}
