//! What keeps prefixes apart, whoever writes them: statements of others, two transactions at once, Kea's own upgrades.

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, Open, POOL, Release, Server};
use ipv6_sg_tests::lab::{eventually, run};

const A: &str = "06:00:00:00:00:0a";

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
        for prefix in ["2001:db8:f000::/60", "2001:db8:f000:f::/64", "2001:db8::/32", "2001:db8:f000::/61"] {
            hosts.refuses(&hosts.reservation(release, A, prefix), &overlaps);
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
        for prefix in ["2001:db8:1::1/60", "2001:db8:1:1::/60", "2001:db8:1::/129", "no prefix/60"] {
            hosts.refuses(&hosts.reservation(release, A, prefix), &malformed);
        }
        // As bytes, IPv4 is a prefix like any other.
        if hosts.address(release, "") == "''" {
            hosts.refuses(&hosts.reservation(release, A, "192.0.2.0/24"), &malformed);
        }
        // What touches it and does not overlap it; and addresses, which are no prefixes.
        hosts.sql(&hosts.reservation(release, A, "2001:db8:f000:10::/60"));
        hosts.sql(&hosts.reservation(release, A, "2001:db8:efff:fff0::/60"));
        hosts.sql(&hosts.reservation(release, A, "2001:db8:f000::5/128").replace(", 2, (", ", 0, ("));
        // Longer, by a change; elsewhere, by a change; and what becomes a prefix.
        let at = |text: &str| format!("WHERE address = {}", hosts.address(release, text));
        let to = |text: &str| hosts.address(release, text);
        hosts.refuses(&format!("UPDATE ipv6_reservations SET prefix_len = 59 {};", at("2001:db8:f000::")), &overlaps);
        hosts.refuses(
            &format!("UPDATE ipv6_reservations SET address = {} {};", to("2001:db8:f000::"), at("2001:db8:f000:10::")),
            &overlaps,
        );
        hosts.refuses(&format!("UPDATE ipv6_reservations SET type = 2 {};", at("2001:db8:f000::5")), &overlaps);
        hosts.sql(&format!(
            "UPDATE ipv6_reservations SET address = {} {};",
            to("2001:db8:f000:20::"),
            at("2001:db8:f000:10::")
        ));
        hosts.sql(&hosts.reservation(release, A, "2001:db8:f000:10::/60"));
        // What goes with its host leaves nothing behind.
        assert_eq!(desk.lines(&["allocate", "--vm", "b", "--mac", "06:00:00:00:00:0b"]), ["2001:db8:f000:30::/60"]);
        hosts.sql("DELETE FROM hosts WHERE dhcp_identifier_type = 0;");
        assert_eq!(hosts.sql("SELECT COUNT(*) FROM ipv6_reservations;").trim(), "0");
        desk.done(&["allocate", "--vm", "a", "--mac", A]);
        hosts.sql(&hosts.reservation(release, A, "2001:db8:f000:30::/60"));
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
        let one = hosts.reservation(Release::Kea2_2, A, "2001:db8:1:10::/60");
        let other = hosts.reservation(Release::Kea2_2, A, "2001:db8:1::/56");
        let first = Open::hold(&hosts, &format!("{begin}{one}"));
        let second = Open::begin(&hosts, &format!("{begin}{other}\n"));
        eventually("the second waits for the first", || (hosts.waiting() == 1).then_some(()));
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
        for prefix in ["2001:db8:f000::/60", "2001:db8:f000:10::/64"] {
            hosts.refuses(&hosts.reservation(release, A, prefix), &overlaps);
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
