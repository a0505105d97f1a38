//! What `ipv6-sg pd check` finds in what others have written: all of that and nothing else, and nothing any more when it is gone.

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server};
use serde_json::{Value, json};

const A: &str = "06:00:00:00:00:0a";
const B: &str = "06:00:00:00:00:0b";

/// A prefix of the pool that nobody has, and how its host is named where it is free.
const UNUSED: &str = "2001:db8:f000:20::/60";
const FREE: &[u8] = b"ipv6-sg free 2001:db8:f000::/56 /060 2026-01-01T00:00:00Z 2001:db8:f000:20::";

/// A part of the pool that the settings keep from everybody.
const RESERVED: &str = "2001:db8:f000:f0::/60";

/// What is found: the kind of problem, and what it is.
type Findings<'a> = &'a [(&'a str, &'a str)];

/// What `check` says: these findings, in this order; how many they are; and its exit code.
#[track_caller]
fn finds(hosts: &Hosts, desk: &Desk, findings: Findings, case: &str) {
    let outcome = desk.run(&["check", "--json"]);
    let found: Value =
        serde_json::from_str(&outcome.out).unwrap_or_else(|error| panic!("{case}: {error}, {outcome:?}"));
    let wanted: Vec<_> = findings.iter().map(|(problem, what)| json!({ "problem": problem, "what": what })).collect();
    assert_eq!(found, Value::from(wanted), "{case}");
    let url = hosts.settings().url;
    let (code, err) = match findings.len() {
        0 => (0, String::new()),
        1 => (1, format!("error: {url}: 1 problem\n")),
        count => (1, format!("error: {url}: {count} problems\n")),
    };
    assert_eq!((outcome.code, outcome.err), (Some(code), err), "{case}");
}

/// Bytes, as a statement writes them.
fn bytes(hosts: &Hosts, bytes: &[u8]) -> String {
    hosts.identifier(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn each_kind(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let desk = Desk::new(&hosts, &format!("{POOL}reserved = [{RESERVED:?}]"));
    desk.done(&["init"]);
    // A prefix that is A's, and one that rests.
    desk.done(&["allocate", "--vm", "a", "--mac", A, "--count", "2"]);
    desk.done(&["release", "--mac", A, "--prefix", "2001:db8:f000:10::/60"]);
    finds(&hosts, &desk, &[], "nothing was done");

    let flexible = |name: &[u8]| {
        let identifier = bytes(&hosts, name);
        format!("dhcp_identifier_type = 4, dhcp_identifier = {identifier}, dhcp6_subnet_id = NULL")
    };
    let (free, theirs, no_text) = (flexible(FREE), flexible(b"theirs"), flexible(&[0xff; 4]));
    let of_a = format!("dhcp_identifier = {}", hosts.identifier(A));
    let (as_it_is, nowhere) = ("host_id = 900", "dhcp6_subnet_id = NULL");
    let named = r#"user_context = '{"ipv6-sg":{"vm":"b"}}'"#;
    // Host 900 is B's in a subnet, has a prefix or none, and is then changed.
    let cases: &[(u32, Option<&str>, &str, Findings)] = &[
        // Others' own, and a free prefix as it should be.
        (7, Some("2001:db8:1::/60"), as_it_is, &[]),
        (1, None, as_it_is, &[]),
        (1, None, &theirs, &[]),
        (1, Some("2001:db8:1::/60"), &theirs, &[]),
        (1, Some(UNUSED), &free, &[]),
        // Out of our subnet's place, or into it.
        (1, Some("2001:db8:1::/60"), as_it_is, &[("outside the pool", "2001:db8:1::/60 of MAC 06:00:00:00:00:0b")]),
        (
            7,
            Some(UNUSED),
            as_it_is,
            &[("another subnet", "2001:db8:f000:20::/60 of MAC 06:00:00:00:00:0b, which is in subnet 7")],
        ),
        (
            1,
            Some(UNUSED),
            nowhere,
            &[("another subnet", "2001:db8:f000:20::/60 of MAC 06:00:00:00:00:0b, which is in no subnet")],
        ),
        // A part of what is reserved, and more than that.
        (
            1,
            Some("2001:db8:f000:f8::/61"),
            as_it_is,
            &[(
                "in a reserved part",
                "2001:db8:f000:f8::/61 of MAC 06:00:00:00:00:0b: 2001:db8:f000:f0::/60 is reserved",
            )],
        ),
        (
            1,
            Some("2001:db8:f000:e0::/59"),
            as_it_is,
            &[(
                "in a reserved part",
                "2001:db8:f000:e0::/59 of MAC 06:00:00:00:00:0b: 2001:db8:f000:f0::/60 is reserved",
            )],
        ),
        // A's MAC is another host's too.
        (7, Some("2001:db8:1::/60"), &of_a, &[("MAC used twice", "06:00:00:00:00:0a is a host of subnets 1 and 7")]),
        (
            7,
            Some(UNUSED),
            &of_a,
            &[
                ("MAC used twice", "06:00:00:00:00:0a is a host of subnets 1 and 7"),
                ("another subnet", "2001:db8:f000:20::/60 of MAC 06:00:00:00:00:0a, which is in subnet 7"),
            ],
        ),
        // Even where only one of them has a prefix.
        (7, None, &of_a, &[("MAC used twice", "06:00:00:00:00:0a is a host of subnets 1 and 7")]),
        // By a DUID, by which nobody is looked up.
        (
            1,
            Some(UNUSED),
            "dhcp_identifier_type = 1",
            &[("orphan", "2001:db8:f000:20::/60 of host 900, which is no VM and not free")],
        ),
        // A prefix that is neither a VM's nor free; and a free one's name with another prefix.
        (1, Some(UNUSED), &theirs, &[("orphan", "2001:db8:f000:20::/60 of theirs, which is no VM and not free")]),
        (1, Some(UNUSED), &no_text, &[("orphan", "2001:db8:f000:20::/60 of host 900, which is no VM and not free")]),
        (
            1,
            Some("2001:db8:f000:20::/61"),
            &free,
            &[(
                "orphan",
                "2001:db8:f000:20::/61 of ipv6-sg free 2001:db8:f000::/56 /060 2026-01-01T00:00:00Z 2001:db8:f000:20::, \
                 which is no VM and not free",
            )],
        ),
        // A host that is for a prefix alone, and has none.
        (1, None, named, &[("orphan", "host 900 of VM \"b\" has no prefix")]),
        (1, None, &free, &[("orphan", "host 900 is free and has no prefix")]),
    ];
    for (subnet_id, prefix, change, findings) in cases {
        let case = format!("{prefix:?} in subnet {subnet_id}, {change}");
        let its = hosts.identifier(B);
        hosts.host(B, *subnet_id);
        hosts.sql(&format!("UPDATE hosts SET host_id = 900 WHERE dhcp_identifier = {its};"));
        if let Some(prefix) = prefix {
            hosts.sql(&hosts.reservation(Release::Kea2_2, B, prefix));
        }
        hosts.sql(&format!("UPDATE hosts SET {change} WHERE host_id = 900;"));
        finds(&hosts, &desk, findings, &case);
        hosts.sql("DELETE FROM hosts WHERE host_id = 900;");
        finds(&hosts, &desk, &[], &format!("without {case}"));
    }
    // An address is no prefix.
    hosts.host(B, 1);
    hosts.sql(&format!("UPDATE hosts SET host_id = 900, {named} WHERE dhcp_identifier = {};", hosts.identifier(B)));
    hosts.sql(&hosts.reservation(Release::Kea2_2, B, "2001:db8:f000:20::5/128").replace(", 2, (", ", 0, ("));
    finds(&hosts, &desk, &[("orphan", "host 900 of VM \"b\" has no prefix")], "an address alone");
}

#[test]
fn each_kind_in_postgresql() {
    each_kind(Kind::Postgres);
}

#[test]
fn each_kind_in_mariadb() {
    each_kind(Kind::Mysql);
}

/// What `pd init` has still to refuse or to make.
fn before_it_is_set_up(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let desk = Desk::new(&hosts, POOL);
    hosts.reserve(Release::Kea2_2, B, 1, "2001:db8:f000:20::1/60");
    let outcome = desk.run(&["check", "--json"]);
    let mut findings: Vec<Value> = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(
        (outcome.code, outcome.err),
        (Some(1), format!("error: {}: {} problems\n", hosts.settings().url, findings.len()))
    );
    // What there is to install, tests of `init` and of its guards tell.
    let all = findings.len();
    findings.retain(|finding| finding["problem"] != "not installed");
    assert_ne!(findings.len(), all);
    let malformed = r#""2001:db8:f000:20::1/60" of MAC 06:00:00:00:00:0b is no prefix"#;
    let not_set_up = "pool 2001:db8:f000::/56 is not set up for subnet 1 in this database; run `ipv6-sg pd init`";
    assert_eq!(
        Value::from(findings),
        json!([{ "problem": "malformed", "what": malformed }, { "problem": "not set up", "what": not_set_up }])
    );
    let refused = format!(
        "1 of the reservations in this database overlap or are malformed: {malformed}; `ipv6-sg pd check` lists them"
    );
    assert_eq!(desk.refused(&["init"]), refused);
    hosts.sql("DELETE FROM ipv6_reservations;");
    desk.done(&["init"]);
    finds(&hosts, &desk, &[], "it is set up");
}

#[test]
fn before_it_is_set_up_in_postgresql() {
    before_it_is_set_up(Kind::Postgres);
}

#[test]
fn before_it_is_set_up_in_mariadb() {
    before_it_is_set_up(Kind::Mysql);
}
