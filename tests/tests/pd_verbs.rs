//! `ipv6-sg pd` on the tables of each release of Kea, in both kinds of database: a VM's whole life.

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server};
use serde_json::json;

const A: &str = "06:00:00:00:00:0a";
const B: &str = "06:00:00:00:00:0b";
const C: &str = "06:00:00:00:00:0c";

/// How many rows there are in both tables.
fn rows(hosts: &Hosts) -> (String, String) {
    let count = |table: &str| hosts.sql(&format!("SELECT COUNT(*) FROM {table};")).trim().to_owned();
    (count("hosts"), count("ipv6_reservations"))
}

fn a_life(kind: Kind) {
    let server = Server::start(kind);
    for release in Release::ALL {
        let hosts = Hosts::new(&server, release);
        let desk = Desk::new(&hosts, &format!("{POOL}reserved = [\"2001:db8:f000::/60\"]"));
        let missing = "pool 2001:db8:f000::/56 is not set up for subnet 1 in this database; run `ipv6-sg pd init`";
        assert_eq!(desk.refused(&["allocate", "--vm", "a", "--mac", A]), missing);
        assert!(desk.done(&["init"]).ends_with("pool 2001:db8:f000::/56 is set up\n"));
        let again = "pool 2001:db8:f000::/56 was set up before, and nothing is missing\n";
        assert_eq!(desk.done(&["init"]), again);
        let none: [&str; 0] = [];
        assert_eq!(desk.json(&["init"]), json!({ "pool": "2001:db8:f000::/56", "new": false, "installed": none }));
        assert_eq!(desk.done(&["check"]), "sound\n");
        assert_eq!(rows(&hosts), ("1".into(), "0".into()));

        // As many as it shall have in all; again is as good as once.
        let first = "2001:db8:f000:10::/60";
        for _ in 0..2 {
            assert_eq!(desk.lines(&["allocate", "--vm", "a", "--mac", A]), [first]);
        }
        let two = ["2001:db8:f000:10::/60", "2001:db8:f000:20::/60"];
        assert_eq!(desk.lines(&["allocate", "--vm", "a", "--mac", A, "--count", "2"]), two);
        assert_eq!(desk.lines(&["allocate", "--vm", "a", "--mac", A, "--count", "1"]), two);
        // Of another length: what lies between is kept for others.
        let allocated = desk.json(&["allocate", "--vm", "b", "--mac", B, "--length", "58"]);
        let prefixes = json!(["2001:db8:f000:40::/58"]);
        assert_eq!(allocated, json!({ "vm": "b", "mac": B, "prefixes": prefixes, "new": prefixes }));
        assert_eq!(desk.lines(&["allocate", "--vm", "c", "--mac", C]), ["2001:db8:f000:30::/60"]);

        let listed = desk.json(&["list"]);
        let row = |vm: &str, mac: &str, prefix: &str, via: &str| json!({ "vm": vm, "mac": mac, "prefix": prefix, "via": via });
        let (via_a, via_b, via_c) = ("fe80::400:ff:fe00:a", "fe80::400:ff:fe00:b", "fe80::400:ff:fe00:c");
        assert_eq!(
            listed,
            json!([
                row("a", A, two[0], via_a),
                row("a", A, two[1], via_a),
                row("c", C, "2001:db8:f000:30::/60", via_c),
                row("b", B, "2001:db8:f000:40::/58", via_b),
            ])
        );
        assert_eq!(
            desk.lines(&["list", "--routes", "--dev", "pod1"])[3],
            format!("ip -6 route replace 2001:db8:f000:40::/58 via {via_b} dev pod1")
        );
        let error = desk.refused(&["list", "--routes", "--dev", "pod1;id"]);
        assert!(error.starts_with("dev \"pod1;id\": "), "{error}");
        assert!(desk.done(&["list"]).contains(&format!("b   {B}  2001:db8:f000:40::/58  {via_b}")));
        assert_eq!(desk.done(&["check"]), "sound\n");

        // One of two, then all; what was released rests, and the host is gone.
        let words = ["release", "--mac", A, "--prefix", two[0]];
        assert_eq!(desk.lines(&words), [two[0]]);
        let none =
            "has no prefix 2001:db8:f000:10::/60 in pool 2001:db8:f000::/56; `ipv6-sg pd list` lists those that have";
        assert_eq!(desk.refused(&words), format!("MAC {A} {none}"));
        assert_eq!(desk.lines(&["release", "--vm", "a"]), [two[1]]);
        assert_eq!(desk.lines(&["allocate", "--vm", "a", "--mac", A]), ["2001:db8:f000:80::/60"]);
        assert_eq!(desk.done(&["check"]), "sound\n");

        // Seven are left; those that rest are none of them, unless nothing rests.
        let seven = ["allocate", "--vm", "c", "--mac", C, "--count", "9"];
        let before = rows(&hosts);
        let error = desk.refused(&seven);
        let start = "pool 2001:db8:f000::/56 has no /60 left, and 2 that rest, the first until 20";
        assert!(
            error.starts_with(start) && error.ends_with("; release some, shorten pd.rest, or widen the pool"),
            "{error}"
        );
        assert_eq!(rows(&hosts), before, "something half done");
        assert_eq!(desk.lines(&["allocate", "--vm", "c", "--mac", C, "--count", "8"]).len(), 8);
        let hasty = Desk::new(&hosts, &format!("{POOL}reserved = [\"2001:db8:f000::/60\"]\nrest = \"0s\""));
        assert!(hasty.lines(&seven).contains(&two[0].to_owned()), "the one that was released first");
        assert_eq!(hasty.done(&["check"]), "sound\n");
        // A wider pool has what rested in the narrower one.
        let wider =
            Desk::new(&hosts, "pool = \"2001:db8:f000::/55\"\nreserved = [\"2001:db8:f000::/60\"]\nrest = \"0s\"");
        assert_eq!(wider.done(&["init"]), "pool 2001:db8:f000::/55 is set up\n");
        assert_eq!(wider.done(&["check"]), "sound\n");
        assert_eq!(wider.lines(&["allocate", "--vm", "d", "--mac", "06:00:00:00:00:0d", "--count", "17"]).len(), 17);
        assert!(wider.refused(&["allocate", "--vm", "a", "--mac", A, "--count", "3"]).contains("has no /60 left"));
        assert_eq!(wider.lines(&["release", "--vm", "d"]).len(), 17);
        assert_eq!(wider.lines(&["release", "--vm", "c", "--mac", C]).len(), 9);
        assert_eq!(wider.done(&["check"]), "sound\n");
    }
}

#[test]
fn a_life_in_postgresql() {
    a_life(Kind::Postgres);
}

#[test]
fn a_life_in_mariadb() {
    a_life(Kind::Mysql);
}

/// A lease as Kea writes it.
fn lease(hosts: &Hosts, release: Release, (address, length, kind): (&str, u8, u8), mac: &str, duid: &str) {
    let bytes = |hex: &str| match hosts.server().kind() {
        Kind::Postgres => format!("decode('{hex}', 'hex')"),
        Kind::Mysql => format!("UNHEX('{hex}')"),
    };
    let address = match (hosts.server().kind(), release) {
        (Kind::Mysql, Release::Kea2_6 | Release::Kea3_0) => format!("INET6_ATON('{address}')"),
        _ => format!("'{address}'"),
    };
    let expire = if hosts.server().kind() == Kind::Postgres { "now()" } else { "NOW()" };
    hosts.sql(&format!(
        "INSERT INTO lease6 (address, prefix_len, lease_type, duid, hwaddr, expire, subnet_id, state, iaid, valid_lifetime, \
         pref_lifetime, hwtype, hwaddr_source, hostname) VALUES ({address}, {length}, {kind}, {}, {}, {expire}, 1, 0, 1, 3600, \
         1800, 1, 0, '');",
        bytes(duid),
        bytes(&mac.replace(':', ""))
    ));
}

fn a_rebuilt_vm(kind: Kind) {
    let server = Server::start(kind);
    for release in Release::ALL {
        let hosts = Hosts::new(&server, release);
        let desk = Desk::new(&hosts, POOL);
        desk.done(&["init"]);
        desk.done(&["allocate", "--vm", "a", "--mac", A, "--count", "2"]);
        desk.done(&["allocate", "--vm", "b", "--mac", B]);
        lease(&hosts, release, ("2001:db8:f000::", 60, 2), A, "0001");
        lease(&hosts, release, ("2001:db8:1::5", 128, 0), A, "0001");
        // A forger's, who has the victim's second prefix; and a neighbour's own.
        lease(&hosts, release, ("2001:db8:f000:10::", 60, 2), C, "00aa");
        lease(&hosts, release, ("2001:db8:f000:20::", 60, 2), B, "0002");
        lease(&hosts, release, ("2001:db8:f000:30::", 60, 2), C, "00aa");
        let found = desk.run(&["check", "--json"]);
        let findings: serde_json::Value = serde_json::from_str(&found.out).expect("JSON");
        assert_eq!(
            findings,
            json!([
                { "problem": "lease", "what": format!("2001:db8:f000:10::/60 is leased to MAC {C}, and reserved for MAC {A}") },
                { "problem": "lease", "what": format!("2001:db8:f000:30::/60 is leased to MAC {C}, and reserved for nobody") },
            ])
        );
        assert_eq!(found.code, Some(1));
        assert_eq!(
            desk.json(&["rebuild", "--mac", A]),
            json!([
                { "lease": "2001:db8:1::5", "duid": "00:01" },
                { "lease": "2001:db8:f000:10::/60", "duid": "00:aa" },
                { "lease": "2001:db8:f000::/60", "duid": "00:01" },
            ])
        );
        assert_eq!(desk.json(&["rebuild", "--mac", A]), json!([]));
        let said = desk.done(&["rebuild", "--mac", A]);
        assert!(said.starts_with(&format!("no lease of MAC {A} in ")) && said.contains("lease6-del"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(hosts.sql("SELECT COUNT(*) FROM lease6;").trim(), "2");
        assert_eq!(desk.lines(&["allocate", "--vm", "a", "--mac", A]).len(), 2, "what is reserved stays");
    }
}

#[test]
fn a_rebuilt_vm_in_postgresql() {
    a_rebuilt_vm(Kind::Postgres);
}

#[test]
fn a_rebuilt_vm_in_mariadb() {
    a_rebuilt_vm(Kind::Mysql);
}
