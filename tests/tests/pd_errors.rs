//! Bad input to `ipv6-sg pd`: one clear line each, and nothing written.

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server, write_secret};
use ipv6_sg_tests::lab::{Process, eventually};

const A: &str = "06:00:00:00:00:0a";
const B: &str = "06:00:00:00:00:0b";

/// What could be half written.
fn everything(hosts: &Hosts) -> String {
    hosts.sql("SELECT * FROM hosts ORDER BY host_id; SELECT * FROM ipv6_reservations ORDER BY reservation_id;")
}

/// Takes all connections that Kea's user may have, as long as what is answered is there.
fn fill_connections(hosts: &Hosts) -> Vec<Process> {
    match hosts.server().kind() {
        Kind::Postgres => {
            hosts.sql("ALTER ROLE kea CONNECTION LIMIT 0;");
            Vec::new()
        }
        Kind::Mysql => {
            // There are no fewer than that; one more is the administrator's.
            hosts.sql("SET GLOBAL max_connections = 10;");
            let sleeper = |_| {
                let mut client = hosts.client();
                client.args(["-e", "SELECT SLEEP(600)"]);
                Process::start(client)
            };
            (0..11).map(sleeper).collect()
        }
    }
}

fn bad_input(kind: Kind) {
    let mut server = Server::start(kind);
    {
        let hosts = Hosts::new(&server, Release::Kea2_2);
        let desk = Desk::new(&hosts, POOL);
        desk.done(&["init"]);
        desk.done(&["allocate", "--vm", "a", "--mac", A]);
        let other = if kind == Kind::Postgres { "decode('06000000000b', 'hex')" } else { "UNHEX('06000000000b')" };
        hosts.sql(&format!(
            "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id) VALUES ({other}, 0, 7);"
        ));
        let before = everything(&hosts);
        let allocate = |words: &[&str]| desk.refused(&[&["allocate"], words].concat());
        for (words, message) in [
            (vec!["--vm", "b", "--mac", A], format!("MAC {A} is VM \"a\"'s, not VM \"b\"'s; release it first: `ipv6-sg pd release --mac {A}`")),
            (
                vec!["--vm", "b", "--mac", B],
                format!("MAC {B} is a host of Kea's subnet 7 too, and [pd] is for subnet 1: used twice; give each VM its own, or delete that host"),
            ),
            (vec!["--vm", "a", "--mac", A, "--length", "55"], "a /55 out of pool 2001:db8:f000::/56: out of bounds; ask for a length from 56 to 64".to_owned()),
            (vec!["--vm", "a", "--mac", A, "--length", "65"], "a /65 out of pool 2001:db8:f000::/56: out of bounds; ask for a length from 56 to 64".to_owned()),
            (vec!["--vm", "a", "--mac", A, "--length", "56"], "pool 2001:db8:f000::/56 has no /56 left; release some, shorten pd.rest, or widen the pool".to_owned()),
            (vec!["--vm", "a", "--mac", A, "--count", "17"], "pool 2001:db8:f000::/56 has no /60 left; release some, shorten pd.rest, or widen the pool".to_owned()),
            (vec!["--vm", "a", "--mac", A, "--count", "0"], "0 prefixes for one VM: out of bounds; ask for 1 to 256".to_owned()),
            (vec!["--vm", "a", "--mac", A, "--count", "257"], "257 prefixes for one VM: out of bounds; ask for 1 to 256".to_owned()),
            (vec!["--vm", "a", "--mac", "06-00-00-00-00-0a"], "MAC \"06-00-00-00-00-0a\": not a MAC address; write six hexadecimal octets joined by colons, like 06:7a:88:00:00:8b".to_owned()),
            (vec!["--vm", "a", "--mac", "07:00:00:00:00:0a"], "MAC \"07:00:00:00:00:0a\": not the MAC of an interface (its first octet is odd: a group address); write the VM's own".to_owned()),
            (vec!["--vm", "", "--mac", A], "VM \"\": not a name; write at least one character, no control characters, no space at either end".to_owned()),
            (vec!["--vm", "a\nb", "--mac", A], "VM \"a\\nb\": not a name; write at least one character, no control characters, no space at either end".to_owned()),
        ] {
            assert_eq!(allocate(&words), message);
        }
        for (words, message) in [
            (
                vec!["--vm", "nobody"],
                "VM \"nobody\" has no prefix in pool 2001:db8:f000::/56; `ipv6-sg pd list` lists those that have"
                    .to_owned(),
            ),
            (
                vec!["--vm", "%"],
                "VM \"%\" has no prefix in pool 2001:db8:f000::/56; `ipv6-sg pd list` lists those that have".to_owned(),
            ),
            (
                vec!["--vm", "b", "--mac", A],
                format!("MAC {A} is VM \"a\"'s, not VM \"b\"'s; release it first: `ipv6-sg pd release --mac {A}`"),
            ),
            (
                vec!["--vm", "a", "--prefix", "192.0.2.0/24"],
                "prefix \"192.0.2.0/24\": IPv4, which is not filtered here; remove it".to_owned(),
            ),
        ] {
            assert_eq!(desk.refused(&[&["release"][..], &words].concat()), message);
        }
        assert_eq!(everything(&hosts), before, "something is half written");
        // A part of the pool, and the pool for others.
        for (words, other) in [("/57\"", "2001:db8:f000::/57"), ("/56\"\nsubnet_id = 2", "2001:db8:f000::/56")] {
            let other_words = Desk::new(&hosts, &format!("pool = \"2001:db8:f000::{words}"));
            assert_eq!(
                other_words.refused(&["init"]),
                format!(
                    "pool {other} overlaps 2001:db8:f000::/56 of subnet 1, which is set up in this database already; write that one, \
                     or one that has all of it, for the same subnet"
                )
            );
        }
        assert_eq!(everything(&hosts), before);

        // Names are values, whatever is in them.
        for (number, name) in
            ["x'; DROP TABLE hosts; --", "\"}]", "a\\", "$1 ?", "{int}", "ü'\"", "%", "i-2-55-VM"].iter().enumerate()
        {
            let mac = format!("06:00:00:00:01:{number:02x}");
            let given = desk.lines(&["allocate", "--vm", name, "--mac", &mac]);
            let row =
                desk.json(&["list"]).as_array().expect("rows").iter().find(|row| row["mac"] == mac.as_str()).cloned();
            assert_eq!(row.expect("it is listed")["vm"], *name);
            assert_eq!(desk.lines(&["allocate", "--vm", name, "--mac", &mac.to_uppercase()]), given);
            assert_eq!(desk.lines(&["release", "--vm", name]), given);
        }
        assert_eq!(desk.lines(&["list"]).len(), 2);

        // One that has a prefix and comes to be of two subnets, gets no more, and gives back what it has.
        let twice = "06:00:00:00:00:0c";
        let given = desk.lines(&["allocate", "--vm", "c", "--mac", twice]);
        hosts.sql(&format!(
            "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id) \
             SELECT dhcp_identifier, 0, 7 FROM hosts WHERE dhcp_identifier = {};",
            other.replace("000b", "000c")
        ));
        assert!(desk.refused(&["allocate", "--vm", "c", "--mac", twice]).contains("is a host of Kea's subnet 7 too"));
        desk.done(&["rebuild", "--mac", twice]);
        assert_eq!(desk.lines(&["release", "--mac", twice]), given);

        let bare = Desk::with(&hosts, "");
        assert_eq!(bare.refused(&["list"]), "the settings have no [pd]; write its pool and its database");
    }
    {
        let hosts = Hosts::empty(&server, "empty");
        let error = Desk::new(&hosts, POOL).refused(&["init"]);
        assert!(
            error.ends_with("it has no table hosts that this user may see; `kea-admin db-init` makes one"),
            "{error}"
        );
    }
    let hosts = Hosts::empty(&server, "later");
    let desk = Desk::new(&hosts, POOL);
    let url = hosts.settings().url;
    let wrong = server.path("wrong");
    write_secret(&wrong, "wr0ng-and-secret");
    let user = if kind == Kind::Postgres { "locked" } else { "kea" };
    let locked =
        format!("[pd]\n{POOL}database = {:?}\npassword_file = {wrong:?}", url.replace("kea@", &format!("{user}@")));
    let error = Desk::with(&hosts, &locked).refused(&["list"]);
    assert!(error.contains(": not let in: ") && !error.contains("wr0ng"), "{error}");
    let full = fill_connections(&hosts);
    let error = eventually("all connections are taken", || {
        let outcome = desk.run(&["list"]);
        (outcome.code == Some(1) && outcome.err.to_lowercase().contains("too many connections")).then_some(outcome.err)
    });
    assert!(error.contains(": no answer: "), "{error}");
    drop(full);
    server.kill();
    let error = desk.refused(&["list"]);
    assert!(error.starts_with(&format!("{url}: no answer: ")), "{error}");
}

#[test]
fn bad_input_to_postgresql() {
    bad_input(Kind::Postgres);
}

#[test]
fn bad_input_to_mariadb() {
    bad_input(Kind::Mysql);
}
