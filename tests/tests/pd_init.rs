//! What `ipv6-sg pd init` installs: beside what was there before, mended where somebody has tampered with it, and by hand.

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server};

const A: &str = "06:00:00:00:00:0a";

/// What was there before is taken in; what overlaps already is named, and nothing is installed.
fn what_was_there_before(kind: Kind) {
    let server = Server::start(kind);
    let release = Release::Kea2_2;
    let hosts = Hosts::new(&server, release);
    hosts.host(A, 1);
    hosts.sql(&hosts.reservation(release, A, "2001:db8:f000::/60"));
    hosts.sql(&hosts.reservation(release, A, "2001:db8:f000:8::/61"));
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
    hosts.sql(&hosts.reservation(release, A, "2001:db8:f000:20::/60"));
    hosts.sql(&hosts.reservation(release, A, "2001:db8:ffff::/48"));
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

/// An earlier `pd init` told hypervisors nothing of whose a change was, by one trigger on each of two tables.
#[test]
fn what_an_earlier_init_made_in_postgresql_is_replaced() {
    let server = Server::start(Kind::Postgres);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let desk = Desk::new(&hosts, POOL);
    desk.done(&["init"]);
    let is_mended = |tampering: &str| {
        hosts.sql(tampering);
        let checked = desk.run(&["check"]);
        assert!(checked.code == Some(1) && checked.out.contains("ipv6_sg_tell"), "{tampering}: {checked:?}");
        desk.done(&["init"]);
        assert_eq!(desk.done(&["check"]), "sound\n", "{tampering}");
        // Both tables are written.
        desk.done(&["allocate", "--vm", "a", "--mac", A]);
        desk.done(&["release", "--mac", A]);
    };
    is_mended(
        "DROP TRIGGER ipv6_sg_tell ON ipv6_reservations; DROP TRIGGER ipv6_sg_tell_all ON ipv6_reservations; \
         DROP TRIGGER ipv6_sg_tell_host ON hosts; DROP FUNCTION ipv6_sg_tell_all; DROP FUNCTION ipv6_sg_tell_host; \
         CREATE OR REPLACE FUNCTION ipv6_sg_tell() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_notify('ipv6_sg_reservations', ''); RETURN NULL; END $$; \
         CREATE TRIGGER ipv6_sg_tell AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ipv6_reservations \
         FOR EACH STATEMENT EXECUTE FUNCTION ipv6_sg_tell(); \
         CREATE TRIGGER ipv6_sg_tell AFTER UPDATE OR DELETE ON hosts FOR EACH STATEMENT EXECUTE FUNCTION ipv6_sg_tell();",
    );
    is_mended("DROP TRIGGER ipv6_sg_tell_host ON hosts;");
    is_mended("DROP TRIGGER ipv6_sg_tell_all ON ipv6_reservations;");
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
        hosts.refuses(&hosts.reservation(release, A, "2001:db8:f000::/64"), &["the prefix overlaps"]);

        // Without its row, the lock would be none.
        hosts.sql("DELETE FROM ipv6_sg_lock;");
        let c = ["allocate", "--vm", "c", "--mac", "06:00:00:00:00:0c"];
        let lost = "ipv6-sg: ipv6_sg_lock has lost its row; run `ipv6-sg pd init`";
        assert_eq!(desk.refused(&c), format!("the database refuses: {lost}"));
        hosts.refuses(&hosts.reservation(release, A, "2001:db8:1::/60"), &[lost]);
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
    hosts.host(A, 7);
    hosts.sql(&hosts.reservation(release, A, "2001:db8::/32"));
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
