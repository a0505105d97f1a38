//! How much of the tables an allocation looks at when they are large: a few rows, wherever the pool's free part is. What that takes
//! in time, with a million prefixes, is what `cargo xtask bench delegation` measures.

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::eventually;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, Release, Server};

/// VMs that are there: all but a few of a /44.
const THERE: u32 = (1 << 16) - 8;
/// Rows that an allocation may read, the schema's own included.
const READ: i64 = 2000;

/// Rows that were read of the tables, by all who have gone.
fn rows_read(hosts: &Hosts) -> i64 {
    let statement = match hosts.server().kind() {
        Kind::Postgres => {
            "SELECT CAST(SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)) AS BIGINT) FROM pg_stat_user_tables \
             WHERE relname IN ('hosts', 'ipv6_reservations');"
        }
        Kind::Mysql => {
            "SELECT CAST(SUM(variable_value) AS SIGNED) FROM information_schema.global_status \
             WHERE variable_name IN ('handler_read_next', 'handler_read_prev', 'handler_read_rnd_next', 'handler_read_key');"
        }
    };
    let text = hosts.sql(statement);
    text.trim().parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// The same when nobody else is there: what a connection has read is counted before it is gone.
fn settled(hosts: &Hosts) -> i64 {
    let others = match hosts.server().kind() {
        Kind::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();"
        }
        Kind::Mysql => "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID();",
    };
    eventually("nobody else is connected", || (hosts.sql(others).trim() == "0").then_some(()));
    rows_read(hosts)
}

/// What was read since, which is something, and not much.
#[track_caller]
fn assert_few_since(hosts: &Hosts, before: i64) {
    let read = settled(hosts) - before;
    assert!((1..READ).contains(&read), "{read} rows of {THERE}");
}

fn a_few_rows_are_read(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    hosts.fill(THERE);
    let desk = Desk::new(&hosts, "pool = \"2001:db8:f000::/44\"\nrest = \"0s\"");
    desk.done(&["init"]);
    // Once, all that others have written are passed.
    assert_eq!(desk.lines(&["allocate", "--vm", "a", "--mac", "0a:00:00:00:00:01"]), ["2001:db8:f00f:ff80::/60"]);
    for (number, prefix) in (2..).zip(["2001:db8:f00f:ff90::/60", "2001:db8:f00f:ffa0::/60"]) {
        let before = settled(&hosts);
        let mac = format!("0a:00:00:00:00:{number:02x}");
        assert_eq!(desk.lines(&["allocate", "--vm", "b", "--mac", &mac]), [prefix]);
        assert_few_since(&hosts, before);
    }
    // The pool is full, and one that was released is the only one.
    desk.done(&["allocate", "--vm", "c", "--mac", "0a:00:00:00:00:0c", "--count", "5"]);
    desk.done(&["release", "--mac", "06:00:00:00:00:07"]);
    let before = settled(&hosts);
    assert_eq!(desk.lines(&["allocate", "--vm", "d", "--mac", "0a:00:00:00:00:0d"]), ["2001:db8:f000:70::/60"]);
    assert_few_since(&hosts, before);
    assert!(desk.refused(&["allocate", "--vm", "e", "--mac", "0a:00:00:00:00:0e"]).contains("has no /60 left"));
}

#[test]
fn a_few_rows_of_postgresql_are_read() {
    a_few_rows_are_read(Kind::Postgres);
}

#[test]
fn a_few_rows_of_mariadb_are_read() {
    a_few_rows_are_read(Kind::Mysql);
}
