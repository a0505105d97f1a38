use crate::host::{Host, STATE, done, refused};

const PORTS: &str = "\
vnet11: VM i-2-55-VM, MAC 06:7a:88:00:00:8b, network pod1
  source set  fe80::47a:88ff:fe00:8b
              2001:db8:1::100
              2001:db8:1:0:47a:88ff:fe00:8b
              2001:db8:f000:10::/60
  routers     fe80::1
  echo        rules
  groups      web
  ingress     6 peers
  egress      1 peer
vnet12: VM i-2-56-VM, MAC 06:7a:88:00:00:8c, network pod1
  source set  fe80::47a:88ff:fe00:8c
              2001:db8:1:0:47a:88ff:fe00:8c
  routers     fe80::1
  echo        always
  groups      guarded against spoofing only
security group web
  ingress  tcp 22 from ::/0
           icmpv6 type 128 code 0 from 2001:db8:99::/64, group:web
  egress   all to ::/0
  members  its ports
           2001:db8:5::/64
sound: 1 network, 2 ports, 1 security group
";

#[test]
fn every_port_and_what_it_would_get() {
    let host = Host::new("", STATE);
    assert_eq!(host.run(&["check"]), done(PORTS));
    // The same from a file or directory that is named.
    assert_eq!(host.run(&["check", "state.d/10.toml"]), done(PORTS));
    assert_eq!(host.run(&["check", "state.d"]), done(PORTS));
}

#[test]
fn the_daemons_settings_count() {
    let port = "[network.n]\nprefixes = []\n[[port]]\nvm = \"a\"\ninterface = \"v\"\nmac = \"02:00:00:00:00:01\"\n\
                network = \"n\"\nsecurity_groups = []\n";
    let expected = "\
v: VM a, MAC 02:00:00:00:00:01, network n
  source set  fe80::ff:fe00:1
  routers     any
  echo        rules
  groups      none
  ingress     nothing
  egress      everything
sound: 1 network, 1 port, 0 security groups
";
    assert_eq!(Host::new("echo = \"rules\"", port).run(&["check"]), done(expected));
}

#[test]
fn several_files_are_one_state() {
    let host = Host::new("", "");
    let network = host.write("network.toml", "[network.n]\nprefixes = []\n");
    let port = host
        .write("port.toml", "[[port]]\nvm = \"a\"\ninterface = \"v\"\nmac = \"02:00:00:00:00:01\"\nnetwork = \"n\"\n");
    assert_eq!(host.run(&["check", &port, &network]).code, Some(0));
    assert_eq!(
        host.run(&["check", &port]),
        refused(
            "DIR/port.toml:2: port \"a\" network = \"n\": no such network; define [network.n] in any state file, or name one that is"
        )
    );
}

#[test]
fn an_empty_directory_is_an_empty_state() {
    let host = Host::new("", "");
    std::fs::remove_file(host.path("state.d/10.toml")).unwrap();
    assert_eq!(host.run(&["check"]), done("sound: 0 networks, 0 ports, 0 security groups\n"));
    std::fs::remove_dir(host.path("state.d")).unwrap();
    assert_eq!(
        host.run(&["check"]),
        refused("DIR/state.d: no such directory; create it (an empty one is an empty state), or set state_dir")
    );
}

#[test]
fn json_has_the_keys_of_the_state_files() {
    let run = Host::new("", STATE).run(&["check", "--json"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        value,
        serde_json::json!({
            "ports": [
                {
                    "interface": "vnet11", "vm": "i-2-55-VM", "mac": "06:7a:88:00:00:8b", "network": "pod1",
                    "source_set": [
                        "fe80::47a:88ff:fe00:8b", "2001:db8:1::100", "2001:db8:1:0:47a:88ff:fe00:8b",
                        "2001:db8:f000:10::/60"
                    ],
                    "routers": ["fe80::1"], "echo": "rules", "security_groups": ["web"],
                    "ingress": { "access": "rules", "peers": 6 }, "egress": { "access": "rules", "peers": 1 }
                },
                {
                    "interface": "vnet12", "vm": "i-2-56-VM", "mac": "06:7a:88:00:00:8c", "network": "pod1",
                    "source_set": ["fe80::47a:88ff:fe00:8c", "2001:db8:1:0:47a:88ff:fe00:8c"],
                    "routers": ["fe80::1"], "echo": "always", "security_groups": null,
                    "ingress": null, "egress": null
                }
            ],
            "networks": [{ "name": "pod1", "prefixes": ["2001:db8:1::/64"], "routers": ["fe80::1"] }],
            "security_groups": [{
                "name": "web",
                "ingress": [
                    { "protocol": "tcp", "ports": "22", "peers": ["::/0"] },
                    { "protocol": "icmpv6", "type": 128, "code": 0, "peers": ["2001:db8:99::/64", "group:web"] }
                ],
                "egress": [{ "protocol": "all", "peers": ["::/0"] }],
                "members": ["2001:db8:5::/64"]
            }]
        })
    );
}
