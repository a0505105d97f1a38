//! Many processes that give and take prefixes at once, some of which are killed at any moment: no two VMs have the same, nothing
//! overlaps, nothing is half done.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use ipv6_sg::kea::Kind;
use ipv6_sg_tests::lab::kea::{Desk, Hosts, KEA, Open, POOL, Release, Server};
use ipv6_sg_tests::lab::{Dice, Process, eventually, outcome, wait_if_ending};
use nix::sys::signal::Signal;

/// Processes at once, and how many each runs one after the other.
const WORKERS: u8 = 10;
const CALLS: u8 = 24;

/// What a worker knows for sure of its VMs: how many prefixes each has been told that it has. One whose call was killed is not there.
type Known = BTreeMap<String, usize>;

fn work(desk: &Desk, worker: u8) -> (Known, u32) {
    let mut dice = Dice::new(worker.into());
    let (mut known, mut killed) = (Known::new(), 0);
    // How long a call takes, in microseconds.
    let mut usual = 0_u64;
    for call in 0..CALLS {
        wait_if_ending();
        let (vm, mac) = (format!("vm-{worker}-{}", call % 6), format!("06:00:00:00:{worker:02x}:{:02x}", call % 6));
        let count = 1 + dice.roll(4);
        let (length, count) = (if dice.roll(5) == 0 { "58" } else { "60" }, count.to_string());
        let (allocate, release) = (
            ["allocate", "--vm", &vm, "--mac", &mac, "--length", length, "--count", &count],
            ["release", "--vm", &vm, "--mac", &mac],
        );
        let releases = call >= 6 && dice.roll(3) == 0;
        let mut verb = desk.verb(if releases { &release } else { &allocate });
        if usual > 0 && dice.roll(3) == 0 {
            let mut process = Process::start(verb);
            // At any moment of a call as they are here and now, so that hardly any is done before.
            thread::sleep(Duration::from_micros(dice.roll(usual)));
            process.signal(Signal::SIGKILL);
            let done = process.wait().success();
            killed += u32::from(!done);
            known.remove(&vm);
            continue;
        }
        let start = Instant::now();
        let outcome = outcome(&mut verb);
        let took = u64::try_from(start.elapsed().as_micros()).expect("not for ever");
        usual = if usual == 0 { took } else { usual.midpoint(took) };
        let nothing = releases && outcome.err.contains("has no prefix");
        assert!(outcome.code == Some(0) || nothing, "{outcome:?}");
        if releases {
            known.insert(vm, 0);
        } else {
            // What it had of the other length is not known here.
            let told = outcome.out.lines().count();
            known.entry(vm).and_modify(|count| *count = (*count).max(told)).or_insert(told);
        }
    }
    (known, killed)
}

fn many_at_once(kind: Kind, release: Release) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, release);
    // Small enough that what was released is given again, and gaps are looked for.
    let desk = Desk::new(&hosts, "pool = \"2001:db8:f000::/50\"\nrest = \"0s\"");
    desk.done(&["init"]);
    let (mut known, mut killed) = (Known::new(), 0);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|worker| (worker, &desk)).collect();
        let workers: Vec<_> =
            workers.into_iter().map(|(worker, desk)| scope.spawn(move || work(desk, worker))).collect();
        for worker in workers {
            let (its, of_its) = worker.join().expect("a worker");
            known.extend(its);
            killed += of_its;
        }
    });
    println!("{} calls, {killed} killed", u32::from(WORKERS) * u32::from(CALLS));
    assert!(killed > 20, "{killed}");
    // Nothing overlaps, no host is without its prefix, nothing is neither free nor a VM's.
    assert_eq!(desk.done(&["check"]), "sound\n");
    let listed = desk.json(&["list"]);
    let mut prefixes = BTreeSet::new();
    let mut of_vm: BTreeMap<&str, usize> = BTreeMap::new();
    for row in listed.as_array().expect("a list") {
        assert!(prefixes.insert(row["prefix"].as_str().expect("text")), "given twice: {row}");
        *of_vm.entry(row["vm"].as_str().expect("a VM of ours")).or_default() += 1;
    }
    assert!(prefixes.len() > 20, "{listed}");
    for (vm, count) in known {
        let has = of_vm.get(vm.as_str()).copied().unwrap_or(0);
        assert!(if count == 0 { has == 0 } else { has >= count }, "{vm} was told {count} and has {has}");
    }
}

#[test]
fn many_at_once_in_postgresql() {
    many_at_once(Kind::Postgres, Release::Kea2_2);
}

#[test]
fn many_at_once_in_mariadb() {
    many_at_once(Kind::Mysql, Release::Kea3_0);
}

/// What statements Kea's user runs or ran last, one of each of its sessions.
fn statements(hosts: &Hosts) -> String {
    hosts.sql(&match hosts.server().kind() {
        Kind::Postgres => format!("SELECT query FROM pg_stat_activity WHERE usename = '{KEA}';"),
        Kind::Mysql => format!("SELECT info FROM information_schema.processlist WHERE user = '{KEA}';"),
    })
}

/// A transaction that is killed in the midst of it, before it has written anything and after, is none.
fn killed_in_the_midst(kind: Kind) {
    let server = Server::start(kind);
    let hosts = Hosts::new(&server, Release::Kea2_2);
    let desk = Desk::new(&hosts, POOL);
    let allocate = ["allocate", "--vm", "a", "--mac", "06:00:00:00:00:0a"];
    let everything =
        || hosts.sql("SELECT * FROM hosts ORDER BY host_id; SELECT * FROM ipv6_reservations ORDER BY reservation_id;");
    for has_written in [false, true] {
        hosts.sql("DELETE FROM hosts;");
        desk.done(&["init"]);
        let pool = hosts.sql("SELECT host_id FROM hosts;");
        hosts.host("06:00:00:00:00:0b", 1);
        let host = hosts.sql("SELECT host_id FROM hosts WHERE dhcp_identifier_type = 0;");
        let (pool, host) = (pool.trim(), host.trim());
        // Another has what it locks first; or writes the prefix, which it comes to when it has made the VM's host. That is by
        // numbers: what is looked for by other things, MariaDB locks with the places beside it.
        let (held, waits_in) = match (has_written, kind) {
            (false, _) => (format!("SELECT host_id FROM hosts WHERE host_id = {pool} FOR UPDATE;"), "FOR UPDATE"),
            (true, kind) => (
                format!(
                    "INSERT INTO ipv6_reservations (address, prefix_len, type, host_id) \
                     VALUES ('2001:db8:f000::', 60, 2, {host});"
                ),
                if kind == Kind::Postgres { "INSERT INTO ipv6_reservations" } else { "UPDATE ipv6_sg_lock" },
            ),
        };
        let before = everything();
        let other = Open::hold(&hosts, &format!("BEGIN;\n{held}"));
        let mut process = Process::start(desk.verb(&allocate));
        // The session before this one may not have gone yet.
        let waits = || (hosts.waiting() == 1).then(|| statements(&hosts)).filter(|all| all.lines().count() == 1);
        let statement = eventually("it waits for the other", waits);
        assert!(statement.contains(waits_in), "{statement}");
        process.signal(Signal::SIGKILL);
        assert!(!process.wait().success());
        assert!(other.roll_back());
        // Only then is done whatever the database does for one who has gone.
        eventually("the end of its session", || statements(&hosts).is_empty().then_some(()));
        assert_eq!(everything(), before, "{waits_in}");
        assert_eq!(desk.lines(&allocate), ["2001:db8:f000::/60"], "{waits_in}");
        assert_eq!(desk.done(&["check"]), "sound\n", "{waits_in}");
    }
}

#[test]
fn killed_in_the_midst_in_postgresql() {
    killed_in_the_midst(Kind::Postgres);
}

#[test]
fn killed_in_the_midst_in_mariadb() {
    killed_in_the_midst(Kind::Mysql);
}
