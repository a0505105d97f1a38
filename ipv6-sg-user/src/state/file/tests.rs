use std::path::Path;

use super::*;
use crate::state::{Echo, Icmpv6, Peer, PortRange, Traffic};

/// A file with every key.
const EVERYTHING: &str = r#"
[network.pod1]
prefixes = ["2001:db8:1::/64", "2001:db8:2::/64"]
routers = ["fe80::20c:dbff:fef9:cf00"]

[[port]]
vm = "i-2-55-VM"
interface = "vnet11"
mac = "06:7a:88:00:00:8b"
network = "pod1"
addresses = ["2001:db8:1::100"]
delegated = ["2001:db8:f000:10::/60", "2001:db8:f001::/48"]
security_groups = ["web"]
echo = "rules"

[[port]]
vm = "i-2-56-VM"
interface = "vnet12"
mac = "06:7a:88:00:00:8c"
network = "pod1"

[security_group.web]
ingress = [
  { protocol = "tcp", ports = "22", peers = ["::/0"] },
  { protocol = "udp", ports = "5000-5010", peers = ["2001:db8:99::/64"] },
  { protocol = "icmpv6", type = 128, code = 0, peers = ["::/0"] },
  { protocol = "icmpv6", type = 128, peers = ["::/0"] },
  { protocol = "all", peers = ["group:db", "2001:db8::1/128"] },
  { protocol = 47, peers = ["::/0"] },
  { protocol = "6", ports = "80", peers = ["::/0"] },
]
egress = []
members = ["2001:db8:5::/64"]

[security_group.db]
"#;

fn read(text: &str) -> Result<Declarations, String> {
    parse(Path::new("10.toml"), text).map_err(|error| error.to_string())
}

#[test]
fn everything_a_file_can_say() {
    let declarations = read(EVERYTHING).unwrap();
    let [network] = declarations.networks.as_slice() else { panic!("one network") };
    assert_eq!(network.name, "pod1");
    assert_eq!(network.prefixes, ["2001:db8:1::/64".parse().unwrap(), "2001:db8:2::/64".parse().unwrap()]);
    assert_eq!(network.routers.len(), 1);
    assert_eq!(network.origin.to_string(), "10.toml:2");

    let [port, bare] = declarations.ports.as_slice() else { panic!("two ports") };
    assert_eq!((port.vm.as_str(), port.interface.as_str(), port.network.as_str()), ("i-2-55-VM", "vnet11", "pod1"));
    assert_eq!(port.mac.to_string(), "06:7a:88:00:00:8b");
    assert_eq!(port.addresses[0].to_string(), "2001:db8:1::100");
    assert_eq!(port.delegated.len(), 2);
    assert_eq!(port.security_groups, Some(vec!["web".to_owned()]));
    assert_eq!(port.echo, Some(Echo::Rules));
    assert_eq!(port.origin.to_string(), "10.toml:7");
    assert_eq!((&bare.security_groups, bare.echo), (&None, None));
    assert!(bare.addresses.is_empty() && bare.delegated.is_empty());

    let [db, web] = declarations.groups.as_slice() else { panic!("two groups") };
    assert_eq!((db.name.as_str(), db.ingress.len(), db.egress.len(), db.members.len()), ("db", 0, 0, 0));
    let traffic: Vec<_> = web.ingress.iter().map(|rule| rule.traffic).collect();
    assert_eq!(
        traffic,
        [
            Traffic::Tcp(PortRange { first: 22, last: 22 }),
            Traffic::Udp(PortRange { first: 5000, last: 5010 }),
            Traffic::Icmpv6(Icmpv6::TypeAndCode(128, 0)),
            Traffic::Icmpv6(Icmpv6::Type(128)),
            Traffic::All,
            Traffic::Protocol(47),
            Traffic::Tcp(PortRange { first: 80, last: 80 }),
        ]
    );
    assert_eq!(web.ingress[4].peers[0], Peer::Group("db".into()));
    assert_eq!(web.members, ["2001:db8:5::/64".parse().unwrap()]);
}

#[test]
fn an_empty_file_says_nothing() {
    assert_eq!(read(""), Ok(Declarations::default()));
    assert_eq!(read("# nothing yet\n"), Ok(Declarations::default()));
}

/// Every wrong value: one line that names file, key and value, and says how to mend it.
#[test]
fn wrong_values() {
    // What is replaced in the file above, by what, and the message.
    for (from, to, message) in [
        (
            r#""2001:db8:1::/64","#,
            r#""2001:db8:1::1/64","#,
            r#"10.toml:3: network "pod1" prefixes[0] = "2001:db8:1::1/64": has host bits; write 2001:db8:1::/64"#,
        ),
        (
            r#""2001:db8:2::/64""#,
            r#""2001:db8:2::/63""#,
            r#"10.toml:3: network "pod1" prefixes[1] = "2001:db8:2::/63": a /63, and VMs form addresses from a /64 only; write the announced /64"#,
        ),
        (
            r#""2001:db8:2::/64""#,
            r#""2001:db8:1::/64""#,
            r#"10.toml:3: network "pod1" prefixes[1] = "2001:db8:1::/64": listed twice; remove one"#,
        ),
        (
            r#""2001:db8:2::/64""#,
            r#""fe80::/64""#,
            r#"10.toml:3: network "pod1" prefixes[1] = "fe80::/64": reaches into the link-local addresses (fe80::/10); write addresses that are the VM's own"#,
        ),
        (
            r#""fe80::20c:dbff:fef9:cf00""#,
            r#""2001:db8:1::1""#,
            r#"10.toml:4: network "pod1" routers[0] = "2001:db8:1::1": not link-local; write the router's fe80:: address, the source of its advertisements"#,
        ),
        (
            r#"vm = "i-2-55-VM""#,
            r#"vm = """#,
            r#"10.toml:7: port[0] vm = "": not a name; write at least one character, no control characters, no space at either end"#,
        ),
        (
            r#""vnet11""#,
            r#""a-very-long-interface""#,
            r#"10.toml:8: port "i-2-55-VM" interface = "a-very-long-interface": not an interface name; write 1 to 15 bytes without '/', ':' and white space"#,
        ),
        (
            r#""06:7a:88:00:00:8b""#,
            r#""06-7a-88-00-00-8b""#,
            r#"10.toml:9: port "i-2-55-VM" mac = "06-7a-88-00-00-8b": not a MAC address; write six hexadecimal octets joined by colons, like 06:7a:88:00:00:8b"#,
        ),
        (
            r#""06:7a:88:00:00:8b""#,
            r#""07:7a:88:00:00:8b""#,
            r#"10.toml:9: port "i-2-55-VM" mac = "07:7a:88:00:00:8b": not the MAC of an interface (its first octet is odd: a group address); write the VM's own"#,
        ),
        (
            r#""06:7a:88:00:00:8b""#,
            r#""00:00:00:00:00:00""#,
            r#"10.toml:9: port "i-2-55-VM" mac = "00:00:00:00:00:00": not the MAC of an interface (all zero); write the VM's own"#,
        ),
        (
            r#""2001:db8:1::100""#,
            r#""2001:db8:1::100/64""#,
            r#"10.toml:11: port "i-2-55-VM" addresses[0] = "2001:db8:1::100/64": a prefix where one address is wanted; a prefix of the VM's own belongs under delegated"#,
        ),
        (
            r#""2001:db8:1::100""#,
            r#""192.0.2.1""#,
            r#"10.toml:11: port "i-2-55-VM" addresses[0] = "192.0.2.1": IPv4, which is not filtered here; remove it"#,
        ),
        (
            r#""2001:db8:1::100""#,
            r#""ff02::1""#,
            r#"10.toml:11: port "i-2-55-VM" addresses[0] = "ff02::1": reaches into the multicast addresses (ff00::/8); write addresses that are the VM's own"#,
        ),
        (
            r#""2001:db8:f000:10::/60""#,
            r#""2001:db8:f000:11::/60""#,
            r#"10.toml:12: port "i-2-55-VM" delegated[0] = "2001:db8:f000:11::/60": has host bits; write 2001:db8:f000:10::/60"#,
        ),
        (
            r#""2001:db8:f001::/48""#,
            r#""::/0""#,
            r#"10.toml:12: port "i-2-55-VM" delegated[1] = "::/0": reaches into the unspecified address (::); write addresses that are the VM's own"#,
        ),
        (
            r#""2001:db8:f001::/48""#,
            r#""2001:db8:f000:10::/60""#,
            r#"10.toml:12: port "i-2-55-VM" delegated[1] = "2001:db8:f000:10::/60": listed twice; remove one"#,
        ),
        (
            r#""2001:db8:f001::/48""#,
            r#""2001:db8:f001::""#,
            r#"10.toml:12: port "i-2-55-VM" delegated[1] = "2001:db8:f001::": no prefix length; write 2001:db8:f001::/128 for this one address"#,
        ),
        (
            r#""22""#,
            r#""22-21""#,
            r#"10.toml:24: security_group "web" ingress[0].ports = "22-21": a range that ends before it begins; write the lower port first"#,
        ),
        (
            r#""22""#,
            r#""ssh""#,
            r#"10.toml:24: security_group "web" ingress[0].ports = "ssh": not ports; write one like "22" or a range like "5000-5010""#,
        ),
        (
            r#""udp""#,
            r#""sctp""#,
            r#"10.toml:25: security_group "web" ingress[1].protocol = "sctp": not a protocol; write tcp, udp, icmpv6, all or a number from 0 to 255"#,
        ),
        (
            "47",
            "256",
            r#"10.toml:29: security_group "web" ingress[5].protocol = "256": not a protocol; write tcp, udp, icmpv6, all or a number from 0 to 255"#,
        ),
        (
            r#""udp""#,
            r#""all""#,
            r#"10.toml:25: security_group "web" ingress[1].ports = "5000-5010": only tcp and udp have ports, and this rule's protocol is all; remove the key or change the protocol"#,
        ),
        (
            r#""icmpv6", type = 128, peers"#,
            r#""tcp", type = 128, peers"#,
            r#"10.toml:27: security_group "web" ingress[3].type = "128": only icmpv6 has types and codes, and this rule's protocol is tcp; remove the key or change the protocol"#,
        ),
        (
            r#""icmpv6", type = 128, code = 0"#,
            r#""icmpv6", code = 0"#,
            r#"10.toml:26: security_group "web" ingress[2].code = "0": a code means nothing without its type; add the key type"#,
        ),
        (
            r#""2001:db8:99::/64""#,
            "",
            r#"10.toml:25: security_group "web" ingress[1].peers = "": names nobody, so the rule would allow nothing; write ["::/0"] for everybody, or remove the rule"#,
        ),
        (
            r#""group:db""#,
            r#""db""#,
            r#"10.toml:28: security_group "web" ingress[4].peers[0] = "db": not an IPv6 prefix; write one like 2001:db8:1::/64"#,
        ),
        (
            r#""2001:db8:5::/64""#,
            r#""10.0.0.0/8""#,
            r#"10.toml:33: security_group "web" members[0] = "10.0.0.0/8": IPv4, which is not filtered here; remove it"#,
        ),
    ] {
        assert!(EVERYTHING.contains(from), "{from}");
        assert_eq!(read(&EVERYTHING.replacen(from, to, 1)).map(|_| ()), Err(message.to_owned()), "{to}");
    }
}

/// What is not TOML of this shape: one line with the place.
#[test]
fn wrong_shapes() {
    for (text, message) in [
        ("[network", "10.toml:1:9: unclosed table, expected `]` in `[network`"),
        (
            "[[ports]]",
            "10.toml:1:3: unknown field `ports`, expected one of `network`, `port`, `security_group` in `[[ports]]`",
        ),
        ("[[port]]\nvm = 5", "10.toml:2:6: invalid type: integer `5`, expected a string in `vm = 5`"),
        ("\n[[port]]\nvm = \"a\"", "10.toml:2:1: missing field `interface` in `[[port]]`"),
        (
            "[network.a]\nprefixes = \"2001:db8::/64\"",
            "10.toml:2:12: invalid type: string \"2001:db8::/64\", expected a sequence in `prefixes = \"2001:db8::/64\"`",
        ),
        (
            "[security_group.a]\ningress = [{ protocol = \"tcp\", ports = 22, peers = [] }]",
            "10.toml:2:40: invalid type: integer `22`, expected a string in `ingress = [{ protocol = \"tcp\", ports = 22, peers = [] }]`",
        ),
        (
            "[security_group.a]\ningress = [{ protocol = \"icmpv6\", type = 300, peers = [] }]",
            "10.toml:2:42: invalid value: integer `300`, expected u8 in `ingress = [{ protocol = \"icmpv6\", type = 300, peers = [] }]`",
        ),
        ("a = 1\na = 2", "10.toml:2:1: duplicate key in `a = 2`"),
        // Columns count characters, and what would break the line is not shown.
        ("a = \"ä\" \u{1}", "10.toml:1:9: unexpected key or value, expected newline, `#` in `a = \"ä\" \u{fffd}`"),
    ] {
        assert_eq!(read(text).map(|_| ()), Err(message.to_owned()), "{text}");
    }
}
