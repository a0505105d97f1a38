//! Kea's hosts database, of each release, in both kinds: what is reserved is read, and what is no such database is told so.

use std::collections::BTreeSet;

use ipv6_sg::kea::{Change, Changes, Database, KeaError, Kind, Reservation, Reserved};
use ipv6_sg::state;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, POOL, Release, Server, write_secret};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn mac(text: &str) -> Mac {
    text.parse().expect("a MAC")
}

fn read(settings: &state::Database, macs: &[&str], subnet_id: Option<u32>) -> Result<Reserved, KeaError> {
    runtime().block_on(async {
        let macs: Vec<_> = macs.iter().map(|text| mac(text)).collect();
        Database::connect(settings).await?.reservations(&macs, subnet_id).await
    })
}

fn refused(settings: &state::Database) -> String {
    read(settings, &[], None).expect_err("no such database").to_string()
}

fn what_is_reserved_is_read(kind: Kind) {
    let server = Server::start(kind);
    for release in Release::ALL {
        let hosts = Hosts::new(&server, release);
        let (a, b, c) = ("06:00:00:00:00:01", "06:00:00:00:00:02", "06:00:00:00:00:03");
        hosts.reserve(release, a, 1, "2001:db8:f000:10::/60");
        hosts.reserve(release, a, 1, "2001:db8:f000:20::/60");
        hosts.reserve(release, b, 2, "2001:db8:f001::/48");
        hosts.reserve(release, c, 1, "2001:db8:f000:31::/60");
        // An address is no prefix.
        hosts.sql(&hosts.reservation(release, b, "2001:db8:f000:40::1/128").replace(", 2, (SELECT", ", 0, (SELECT"));
        let reservation = |id, text: &str, subnet_id, prefix: &str| Reservation {
            id,
            mac: mac(text),
            subnet_id,
            prefix: prefix.parse().expect("a prefix"),
            vm: None,
        };
        let of_a = [reservation(1, a, 1, "2001:db8:f000:10::/60"), reservation(2, a, 1, "2001:db8:f000:20::/60")];
        let of_b = reservation(3, b, 2, "2001:db8:f001::/48");
        let settings = hosts.settings();
        let read = |macs: &[&str], subnet_id| read(&settings, macs, subnet_id).expect("an answer");
        assert_eq!(read(&[], None), Reserved::default(), "{release:?}");
        assert_eq!(
            read(&[b, a, "06:00:00:00:00:09"], None).reservations,
            [&of_a[..], std::slice::from_ref(&of_b)].concat()
        );
        assert_eq!(read(&[b, a, a], Some(1)).reservations, of_a);
        assert_eq!(read(&[b], Some(2)).reservations, [of_b]);
        // Host bits: what Kea would hand out is no prefix.
        let malformed = read(&[c], None);
        assert_eq!(malformed.reservations, []);
        assert_eq!(malformed.malformed, [format!("{c}, subnet 1: \"2001:db8:f000:31::/60\" is no prefix")]);
        // More MACs than are asked for at once.
        let many: BTreeSet<_> = (0..600).map(|n| format!("06:00:00:01:{:02x}:{:02x}", n / 256, n % 256)).collect();
        let many: Vec<_> = many.iter().map(String::as_str).chain([a]).collect();
        assert_eq!(read(&many, None).reservations, of_a);
    }
}

#[test]
fn what_is_reserved_is_read_from_postgresql() {
    what_is_reserved_is_read(Kind::Postgres);
}

#[test]
fn what_is_reserved_is_read_from_mariadb() {
    what_is_reserved_is_read(Kind::Mysql);
}

fn what_is_no_such_database(kind: Kind, wrong_password: &str) {
    let mut server = Server::start(kind);
    let hosts = Hosts::empty(&server, "other");
    let mut settings = hosts.settings();
    let none =
        "not a hosts database of Kea's: it has no table hosts that this user may see; `kea-admin db-init` makes one";
    assert_eq!(refused(&settings), format!("{}: {none}", settings.url));
    hosts.sql("CREATE TABLE hosts (host_id INT); CREATE TABLE ipv6_reservations (address INT);");
    if kind == Kind::Postgres {
        hosts.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO kea;");
    }
    let column = "its table hosts has no column dhcp_identifier; `kea-admin db-upgrade` may add it";
    assert_eq!(refused(&settings), format!("{}: not a hosts database of Kea's: {column}", settings.url));

    let file = server.path("wrong.password");
    write_secret(&file, "wr0ng-and-secret");
    settings.password_file = Some(file.clone());
    if kind == Kind::Postgres {
        settings.url = settings.url.replace("kea@", "locked@");
    }
    let error = refused(&settings);
    assert!(error.contains(wrong_password) && error.contains("password_file"), "{error}");
    assert!(!error.contains("wr0ng-and-secret"), "{error}");
    write_secret(&file, "");
    assert_eq!(refused(&settings), format!("{}: not one line of text; write the password alone", file.display()));

    server.kill();
    write_secret(&file, "right");
    let error = refused(&settings);
    assert!(error.starts_with(&format!("{}: no answer: ", settings.url)), "{error}");
}

#[test]
fn what_is_no_such_database_in_postgresql() {
    what_is_no_such_database(Kind::Postgres, "password authentication failed for user \"locked\"");
}

#[test]
fn what_is_no_such_database_in_mariadb() {
    what_is_no_such_database(Kind::Mysql, "Access denied for user 'kea'@'localhost'");
}

/// What is done, how, and what is told of it.
type Step<'a> = (&'a str, &'a dyn Fn(), &'a [Change]);

/// Each tells whose it is, so that of many hypervisors only one looks; and what may be about all, by hand, tells all.
#[test]
fn changes_are_heard_of_where_the_database_tells() {
    let server = Server::start(Kind::Postgres);
    let (a, b) = ("06:00:00:00:00:0a", "06:00:00:00:00:0b");
    let of = |text: &str| Change::Of(mac(text));
    for release in [Release::Kea2_2, Release::Kea3_0] {
        let hosts = Hosts::new(&server, release);
        let desk = Desk::new(&hosts, POOL);
        desk.done(&["init"]);
        let change_mac = format!(
            "UPDATE hosts SET dhcp_identifier = '\\x06000000000b' WHERE dhcp_identifier = '\\x{}';",
            a.replace(':', "")
        );
        runtime().block_on(async {
            let mut changes = Changes::listen(&hosts.settings()).await.expect("an answer").expect("PostgreSQL tells");
            let steps: [Step<'_>; 6] = [
                ("given", &|| drop(desk.lines(&["allocate", "--vm", "a", "--mac", a])), &[of(a)]),
                ("another's MAC", &|| drop(hosts.sql(&change_mac)), &[of(a), of(b)]),
                ("taken", &|| drop(desk.lines(&["release", "--mac", b])), &[of(b)]),
                ("given again", &|| drop(desk.lines(&["allocate", "--vm", "b", "--mac", b])), &[of(b)]),
                (
                    "the host deleted",
                    &|| drop(hosts.sql("DELETE FROM hosts WHERE dhcp_identifier_type = 0;")),
                    &[of(b)],
                ),
                ("emptied", &|| drop(hosts.sql("TRUNCATE ipv6_reservations;")), &[Change::Any]),
            ];
            for (what, act, told) in steps {
                act();
                // Whoever is told in vain looks in vain: what comes last is a mark, and nothing else is before it.
                hosts.sql("NOTIFY ipv6_sg_reservations, 'mark';");
                let mut heard = BTreeSet::new();
                loop {
                    let next = tokio::time::timeout(ipv6_sg_tests::lab::PATIENCE, changes.next()).await;
                    match next.expect("soon").expect("a change") {
                        Change::Any if told != [Change::Any] || !heard.is_empty() => break,
                        change => drop(heard.insert(format!("{change:?}"))),
                    }
                }
                let told: BTreeSet<_> = told.iter().map(|change| format!("{change:?}")).collect();
                assert_eq!(heard, told, "{release:?}: {what}");
            }
        });
    }
}
