//! What keeps prefixes apart, whoever writes them: statements of others, two transactions at once, Kea's own upgrades.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server};
use ipv6_sg_tests::lab::{Outcome, eventually, run};

const A: &str = "06:00:00:00:00:0a";

/// An address, as a statement writes it for the tables of a release.
fn address(hosts: &Hosts, release: Release, text: &str) -> String {
    match (hosts.server().kind(), release) {
        (Kind::Mysql, Release::Kea2_6 | Release::Kea3_0) => format!("INET6_ATON('{text}')"),
        _ => format!("'{text}'"),
    }
}

/// A statement that reserves a prefix for the host of VM a.
fn insert(hosts: &Hosts, release: Release, prefix: &str, length: u8) -> String {
    let identifier = match hosts.server().kind() {
        Kind::Postgres => "decode('06000000000a', 'hex')",
        Kind::Mysql => "UNHEX('06000000000a')",
    };
    let address = address(hosts, release, prefix);
    format!(
        "INSERT INTO ipv6_reservations (address, prefix_len, type, host_id) \
         VALUES ({address}, {length}, 2, (SELECT host_id FROM hosts WHERE dhcp_identifier = {identifier}));"
    )
}

#[track_caller]
fn is_refused(outcome: &Outcome, words: &[&str]) {
    assert_ne!(outcome.code, Some(0), "{outcome:?}");
    assert!(words.iter().any(|word| outcome.err.contains(word)), "{outcome:?}");
}

fn nobody_writes_what_overlaps(kind: Kind) {
    let server = Server::start(kind);
    for release in Release::ALL {
        let hosts = Hosts::new(&server, release);
        let desk = Desk::new(&hosts, POOL);
        desk.done(&["init"]);
        desk.done(&["allocate", "--vm", "a", "--mac", A]);
        let overlaps =
            ["exclusion constraint \"ipv6_sg_no_overlap\"", "ipv6-sg: the prefix overlaps one that is reserved"];
        // The same, a part of it, and what it is a part of.
        for (prefix, length) in
            [("2001:db8:f000::", 60), ("2001:db8:f000:f::", 64), ("2001:db8::", 32), ("2001:db8:f000::", 61)]
        {
            is_refused(&hosts.try_sql(&insert(&hosts, release, prefix, length)), &overlaps);
        }
        let malformed = [
            "\"ipv6_sg_canonical\"",
            "ipv6-sg: a prefix with host bits",
            "ipv6-sg: not a prefix of IPv6",
            "invalid input syntax",
            "invalid mask length",
            "out of range",
            "cannot be null",
        ];
        for (prefix, length) in
            [("2001:db8:1::1", 60), ("2001:db8:1:1::", 60), ("2001:db8:1::", 129), ("no prefix", 60)]
        {
            is_refused(&hosts.try_sql(&insert(&hosts, release, prefix, length)), &malformed);
        }
        // As bytes, IPv4 is a prefix like any other.
        if address(&hosts, release, "") == "''" {
            is_refused(&hosts.try_sql(&insert(&hosts, release, "192.0.2.0", 24)), &malformed);
        }
        // What touches it and does not overlap it; and addresses, which are no prefixes.
        hosts.sql(&insert(&hosts, release, "2001:db8:f000:10::", 60));
        hosts.sql(&insert(&hosts, release, "2001:db8:efff:fff0::", 60));
        hosts.sql(&insert(&hosts, release, "2001:db8:f000::5", 128).replace(", 2, (", ", 0, ("));
        // Longer, by a change; elsewhere, by a change; and what becomes a prefix.
        let at = |text: &str| format!("WHERE address = {}", address(&hosts, release, text));
        let to = |text: &str| address(&hosts, release, text);
        is_refused(
            &hosts.try_sql(&format!("UPDATE ipv6_reservations SET prefix_len = 59 {};", at("2001:db8:f000::"))),
            &overlaps,
        );
        is_refused(
            &hosts.try_sql(&format!(
                "UPDATE ipv6_reservations SET address = {} {};",
                to("2001:db8:f000::"),
                at("2001:db8:f000:10::")
            )),
            &overlaps,
        );
        is_refused(
            &hosts.try_sql(&format!("UPDATE ipv6_reservations SET type = 2 {};", at("2001:db8:f000::5"))),
            &overlaps,
        );
        hosts.sql(&format!(
            "UPDATE ipv6_reservations SET address = {} {};",
            to("2001:db8:f000:20::"),
            at("2001:db8:f000:10::")
        ));
        hosts.sql(&insert(&hosts, release, "2001:db8:f000:10::", 60));
        // What goes with its host leaves nothing behind.
        assert_eq!(desk.lines(&["allocate", "--vm", "b", "--mac", "06:00:00:00:00:0b"]), ["2001:db8:f000:30::/60"]);
        hosts.sql("DELETE FROM hosts WHERE dhcp_identifier_type = 0;");
        assert_eq!(hosts.sql("SELECT COUNT(*) FROM ipv6_reservations;").trim(), "0");
        desk.done(&["allocate", "--vm", "a", "--mac", A]);
        hosts.sql(&insert(&hosts, release, "2001:db8:f000:30::", 60));
        // Gaps that were left so are found when there is nothing else.
        let all = desk.lines(&["allocate", "--vm", "b", "--mac", "06:00:00:00:00:0b", "--count", "14"]);
        assert_eq!((all.len(), desk.lines(&["list"]).len()), (14, 17));
        assert!(
            desk.refused(&["allocate", "--vm", "c", "--mac", "06:00:00:00:00:0c"]).contains("has no /60 left; release")
        );
        assert_eq!(desk.done(&["check"]), "sound\n");
    }
}

#[test]
fn nobody_writes_what_overlaps_into_postgresql() {
    nobody_writes_what_overlaps(Kind::Postgres);
}

#[test]
fn nobody_writes_what_overlaps_into_mariadb() {
    nobody_writes_what_overlaps(Kind::Mysql);
}

/// A transaction that is open as long as it is not told to end.
struct Open(std::process::Child);

impl Open {
    fn begin(mut client: Command, statements: &str) -> Self {
        let mut client =
            client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a client");
        client.stdin.as_mut().expect("piped").write_all(statements.as_bytes()).expect("it reads");
        Self(client)
    }

    /// Ends it; whether that succeeded.
    fn commit(mut self) -> bool {
        let mut stdin = self.0.stdin.take().expect("piped");
        // One that was refused has gone, and reads no more: how it ended says that.
        let _ = stdin.write_all(b"COMMIT;\n");
        drop(stdin);
        self.0.wait().expect("a client of ours").success()
    }
}

/// How many transactions wait for another.
fn waiting(hosts: &Hosts) -> u32 {
    let statement = match hosts.server().kind() {
        Kind::Postgres => "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock';",
        // What information_schema.innodb_trx shows grows no older than it is looked at: here, the same for ever.
        Kind::Mysql => {
            "SELECT variable_value FROM information_schema.global_status \
             WHERE variable_name = 'innodb_row_lock_current_waits';"
        }
    };
    let text = hosts.sql(statement);
    text.trim().parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

/// Of two transactions at once that write the same, or what overlaps, one is refused, at each level of isolation.
fn of_two_at_once_one_is_refused(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let desk = Desk::new(&hosts, POOL);
    desk.done(&["init"]);
    desk.done(&["allocate", "--vm", "a", "--mac", A]);
    let count =
        |what: &str| hosts.sql(&format!("SELECT COUNT(*) FROM ipv6_reservations WHERE {what};")).trim().to_owned();
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let begin = match kind {
            Kind::Postgres => format!("BEGIN ISOLATION LEVEL {level};\nSELECT COUNT(*) FROM ipv6_reservations;\n"),
            Kind::Mysql => {
                format!(
                    "SET SESSION TRANSACTION ISOLATION LEVEL {level};\nBEGIN;\nSELECT COUNT(*) FROM ipv6_reservations;\n"
                )
            }
        };
        let one = insert(&hosts, Release::Kea2_2, "2001:db8:1:10::", 60);
        let other = insert(&hosts, Release::Kea2_2, "2001:db8:1::", 56);
        let written = server.path("written");
        let _ = std::fs::remove_file(&written);
        let mark = match kind {
            Kind::Postgres => format!("\\! touch {}\n", written.display()),
            Kind::Mysql => format!("system touch {}\n", written.display()),
        };
        let first = Open::begin(hosts.client(), &format!("{begin}{one}\n{mark}"));
        eventually("the first has written", || written.exists().then_some(()));
        let second = Open::begin(hosts.client(), &format!("{begin}{other}\n"));
        eventually("the second waits for the first", || (waiting(&hosts) == 1).then_some(()));
        assert!(first.commit(), "{level}");
        assert!(!second.commit(), "{level}: both were written");
        assert_eq!(count("prefix_len = 60"), "2", "{level}");
        assert_eq!(count("prefix_len = 56"), "0", "{level}");
        hosts.sql("DELETE FROM ipv6_reservations WHERE address = '2001:db8:1:10::';");
    }
    assert_eq!(desk.done(&["check"]), "sound\n");
}

#[test]
fn of_two_at_once_one_is_refused_by_postgresql() {
    of_two_at_once_one_is_refused(Kind::Postgres);
}

#[test]
fn of_two_at_once_one_is_refused_by_mariadb() {
    of_two_at_once_one_is_refused(Kind::Mysql);
}

/// Kea's own upgrade changes the type of addresses below what is installed.
fn an_upgrade_of_kea(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let desk = Desk::new(&hosts, POOL);
    desk.done(&["init"]);
    desk.done(&["allocate", "--vm", "a", "--mac", A, "--count", "2"]);
    desk.done(&["release", "--mac", A, "--prefix", "2001:db8:f000::/60"]);
    for release in [Release::Kea2_6, Release::Kea3_0] {
        let before = desk.done(&["list", "--json"]);
        run(&mut hosts.kea_admin("db-upgrade", release));
        assert_eq!(desk.done(&["list", "--json"]), before);
        assert_eq!(desk.done(&["check"]), "sound\n");
        let again = "pool 2001:db8:f000::/56 was set up before, and nothing is missing\n";
        assert_eq!(desk.done(&["init"]), again);
        let overlaps = ["\"ipv6_sg_no_overlap\"", "ipv6-sg: the prefix overlaps"];
        for (prefix, length) in [("2001:db8:f000::", 60), ("2001:db8:f000:10::", 64)] {
            is_refused(&hosts.try_sql(&insert(&hosts, release, prefix, length)), &overlaps);
        }
        let mac = format!("06:00:00:00:00:{:02x}", release as u8);
        desk.done(&["allocate", "--vm", "b", "--mac", &mac, "--count", "3"]);
        assert_eq!(desk.done(&["check"]), "sound\n");
    }
}

#[test]
fn an_upgrade_of_kea_on_postgresql() {
    an_upgrade_of_kea(Kind::Postgres);
}

#[test]
fn an_upgrade_of_kea_on_mariadb() {
    an_upgrade_of_kea(Kind::Mysql);
}

/// What was there before is taken in; what overlaps already is named, and nothing is installed.
fn what_was_there_before(kind: Kind) {
    let server = Server::start(kind);
    let release = Release::Kea2_2;
    let hosts = Hosts::new(&server, release);
    let identifier = if kind == Kind::Postgres { "decode('06000000000a', 'hex')" } else { "UNHEX('06000000000a')" };
    hosts.sql(&format!(
        "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id) VALUES ({identifier}, 0, 1);"
    ));
    hosts.sql(&insert(&hosts, release, "2001:db8:f000::", 60));
    hosts.sql(&insert(&hosts, release, "2001:db8:f000:8::", 61));
    let desk = Desk::new(&hosts, POOL);
    let error = desk.refused(&["init"]);
    let overlap = format!("2001:db8:f000:8::/61 of MAC {A} and 2001:db8:f000::/60 of MAC {A}");
    assert_eq!(
        error,
        format!(
            "1 of the reservations in this database overlap or are malformed: {overlap}; `ipv6-sg pd check` lists them"
        )
    );
    let checked = desk.run(&["check"]);
    assert!(
        checked.out.contains(&format!("overlap        {overlap}")) && checked.out.contains("not installed"),
        "{checked:?}"
    );
    hosts.sql("DELETE FROM ipv6_reservations WHERE prefix_len = 61;");
    hosts.sql(&insert(&hosts, release, "2001:db8:f000:20::", 60));
    hosts.sql(&insert(&hosts, release, "2001:db8:ffff::", 48));
    desk.done(&["init"]);
    // The VM had no name: it has one now, and what it had counts.
    assert_eq!(
        desk.lines(&["allocate", "--vm", "a", "--mac", A, "--count", "3"]),
        ["2001:db8:f000::/60", "2001:db8:f000:10::/60", "2001:db8:f000:20::/60"]
    );
    assert_eq!(desk.lines(&["allocate", "--vm", "b", "--mac", "06:00:00:00:00:0b"]), ["2001:db8:f000:30::/60"]);
    let checked = desk.run(&["check"]);
    assert!(checked.out.contains("outside the pool") && checked.out.contains("2001:db8:ffff::/48"), "{checked:?}");
    // A host that was there before stays, with what else it has.
    assert_eq!(desk.lines(&["release", "--mac", A]).len(), 3);
    assert_eq!(hosts.sql("SELECT COUNT(*) FROM hosts WHERE dhcp_identifier_type = 0;").trim(), "2");
}

#[test]
fn what_was_there_before_in_postgresql() {
    what_was_there_before(Kind::Postgres);
}

#[test]
fn what_was_there_before_in_mariadb() {
    what_was_there_before(Kind::Mysql);
}

/// What MariaDB is kept by is mended when somebody has written into it, or an older `pd init` has made it.
#[test]
fn the_index_of_mariadb_is_mended() {
    let server = Server::start(Kind::Mysql);
    for release in [Release::Kea2_2, Release::Kea3_0] {
        let hosts = Hosts::new(&server, release);
        let desk = Desk::new(&hosts, POOL);
        desk.done(&["init"]);
        desk.done(&["allocate", "--vm", "a", "--mac", A, "--count", "2"]);
        let is_mended = |tampering: &str, piece: &str| {
            if !tampering.is_empty() {
                hosts.sql(tampering);
            }
            let checked = desk.run(&["check"]);
            let told = checked.out.lines().any(|line| {
                line.starts_with(&format!("not installed  {piece} (")) && line.ends_with("; run `ipv6-sg pd init`")
            });
            assert!(told, "{tampering}: {checked:?}");
            let installed = desk.done(&["init"]);
            assert!(installed.contains(&format!("installed {piece}: ")), "{installed}");
            assert_eq!(desk.done(&["check"]), "sound\n", "{tampering}");
        };
        let index = "ipv6_sg_prefixes, filled";
        // The reservation's number with another's addresses, with another end, not at all, and a number that nobody has.
        is_mended(
            "UPDATE ipv6_sg_prefixes SET first_address = INET6_ATON('2001:db8:f000:20::'), \
             last_address = INET6_ATON('2001:db8:f000:2f:ffff:ffff:ffff:ffff') \
             WHERE first_address = INET6_ATON('2001:db8:f000::');",
            index,
        );
        is_mended(
            "UPDATE ipv6_sg_prefixes SET last_address = first_address WHERE first_address = INET6_ATON('2001:db8:f000::');",
            index,
        );
        is_mended("DELETE FROM ipv6_sg_prefixes LIMIT 1;", index);
        let stray = "SET FOREIGN_KEY_CHECKS = 0; INSERT INTO ipv6_sg_prefixes VALUES \
             (INET6_ATON('2001:db8:f000:20::'), INET6_ATON('2001:db8:f000:2f:ffff:ffff:ffff:ffff'), 4000000);";
        hosts.sql(stray);
        let b = ["allocate", "--vm", "b", "--mac", "06:00:00:00:00:0b"];
        assert!(desk.refused(&b).contains("ipv6-sg: the prefix overlaps one that is reserved"));
        is_mended("", index);
        assert_eq!(desk.lines(&b), ["2001:db8:f000:20::/60"]);
        is_refused(&hosts.try_sql(&insert(&hosts, release, "2001:db8:f000::", 64)), &["the prefix overlaps"]);

        // Without its row, the lock would be none.
        hosts.sql("DELETE FROM ipv6_sg_lock;");
        let c = ["allocate", "--vm", "c", "--mac", "06:00:00:00:00:0c"];
        let lost = "ipv6-sg: ipv6_sg_lock has lost its row; run `ipv6-sg pd init`";
        assert_eq!(desk.refused(&c), format!("the database refuses: {lost}"));
        is_refused(&hosts.try_sql(&insert(&hosts, release, "2001:db8:1::", 60)), &[lost]);
        is_mended("", "ipv6_sg_lock, its row");
        assert_eq!(desk.lines(&c), ["2001:db8:f000:30::/60"]);

        // As it was installed before: a lock that nobody writes.
        let older = "DROP TABLE ipv6_sg_lock; \
             CREATE TABLE ipv6_sg_lock (id TINYINT NOT NULL PRIMARY KEY) ENGINE = InnoDB AS SELECT 1 AS id; \
             DROP PROCEDURE ipv6_sg_enter; CREATE PROCEDURE ipv6_sg_enter(p_id INT UNSIGNED, p_address VARBINARY(45), p_length INT) \
             SELECT id FROM ipv6_sg_lock FOR UPDATE;";
        hosts.sql(older);
        let checked = desk.run(&["check"]).out;
        assert!(checked.contains("ipv6_sg_lock (one writer") && checked.contains("ipv6_sg_enter ("), "{checked}");
        is_mended("", "ipv6_sg_lock");
        desk.done(&["allocate", "--vm", "d", "--mac", "06:00:00:00:00:0d"]);
        assert_ne!(hosts.sql("SELECT turn FROM ipv6_sg_lock;").trim(), "0");
    }
}

/// What `pd init --print` prints is all that an administrator has to run.
fn what_is_printed(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea3_0);
    let desk = Desk::new(&hosts, POOL);
    hosts.sql(&desk.done(&["init", "--print"]));
    assert_eq!(desk.done(&["init"]), "pool 2001:db8:f000::/56 is set up\n");
    assert_eq!(desk.done(&["check"]), "sound\n");
}

#[test]
fn what_is_printed_for_postgresql() {
    what_is_printed(Kind::Postgres);
}

#[test]
fn what_is_printed_for_mariadb() {
    what_is_printed(Kind::Mysql);
}

/// What has all of the pool in it is told, whoever has written it.
fn what_is_around_the_pool(kind: Kind) {
    let server = Server::start(kind);
    let release = Release::Kea2_2;
    let hosts = Hosts::new(&server, release);
    let desk = Desk::new(&hosts, POOL);
    desk.done(&["init"]);
    let identifier = if kind == Kind::Postgres { "decode('06000000000a', 'hex')" } else { "UNHEX('06000000000a')" };
    hosts.sql(&format!(
        "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id) VALUES ({identifier}, 0, 7);"
    ));
    hosts.sql(&insert(&hosts, release, "2001:db8::", 32));
    let what = format!("2001:db8::/32 of MAC {A} has all of pool 2001:db8:f000::/56: nothing of it can be given");
    assert_eq!(desk.run(&["check"]).out.lines().nth(1), Some(format!("around the pool  {what}").as_str()));
    desk.refused(&["allocate", "--vm", "b", "--mac", "06:00:00:00:00:0b"]);
}

#[test]
fn what_is_around_the_pool_in_postgresql() {
    what_is_around_the_pool(Kind::Postgres);
}

#[test]
fn what_is_around_the_pool_in_mariadb() {
    what_is_around_the_pool(Kind::Mysql);
}
