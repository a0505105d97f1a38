//! `ipv6-sg pd`, run on the server's machine: which VM has which prefixes. And what the server has leased of them.

use std::path::PathBuf;

use ipnet::Ipv6Net;
use ipv6_sg::kea::Kind;
use ipv6_sg::state::Database;
use ipv6_sg_common::mac::Mac;

use crate::lab::kea::{Desk, Hosts, Release};
use crate::lab::{Guest, Netns};

/// The pool, and the machine of the server that has its database.
pub struct Pool<'a> {
    hosts: Hosts<'a>,
    pub(super) desk: Desk,
    /// Its namespace.
    pub machine: Netns,
}

/// A prefix that a client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// Its client's identifier, in hexadecimal digits.
    pub duid: String,
    /// The number of the client's association.
    pub association: u32,
}

/// What the verbs call the VM.
fn name(guest: &Guest) -> String {
    format!("vm-{}", guest.port)
}

fn prefix(text: &str) -> Ipv6Net {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl<'a> Pool<'a> {
    /// Sets it up in a database.
    #[track_caller]
    pub(super) fn new(hosts: Hosts<'a>, machine: Netns) -> Self {
        let desk = Desk::new(&hosts, "pool = \"2001:db8:f000::/40\"\n");
        desk.done(&["init"]);
        Self { hosts, desk, machine }
    }

    /// Settings of a hypervisor's daemon, which reads the database.
    pub fn source(&self) -> String {
        let Database { url, password_file } = self.hosts.settings();
        let password = password_file.map(|path| format!("password_file = {path:?}\n")).unwrap_or_default();
        // PostgreSQL tells of changes.
        let interval = if self.hosts.server().kind() == Kind::Postgres { 3600 } else { 5 };
        format!("[source.kea]\ndatabase = {url:?}\n{password}interval = {interval}\n")
    }

    /// The release of Kea.
    pub(super) const fn of_kea(&self) -> Release {
        self.hosts.release()
    }

    /// A path in a directory of the server's.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.hosts.server().path(name)
    }

    /// Sees to it that a VM has so many prefixes, and returns them.
    #[track_caller]
    pub fn allocate(&self, vm: &str, mac: Mac, count: usize) -> Vec<Ipv6Net> {
        let (mac, count) = (mac.to_string(), count.to_string());
        let prefixes = self.desk.lines(&["allocate", "--vm", vm, "--mac", &mac, "--count", &count]);
        prefixes.iter().map(|text| prefix(text)).collect()
    }

    /// The same for a guest's.
    #[track_caller]
    pub(super) fn allocate_to(&self, guest: &Guest, count: usize) -> Vec<Ipv6Net> {
        self.allocate(&name(guest), guest.mac, count)
    }

    /// Takes a prefix back.
    #[track_caller]
    pub(super) fn release(&self, guest: &Guest, prefix: Ipv6Net) {
        self.desk.done(&["release", "--vm", &name(guest), "--prefix", &prefix.to_string()]);
    }

    /// Drops a VM's leases, whoever they are held by.
    #[track_caller]
    pub fn rebuild(&self, mac: Mac) {
        self.desk.done(&["rebuild", "--mac", &mac.to_string()]);
    }

    /// The prefixes of a MAC.
    #[track_caller]
    pub fn of(&self, mac: Mac) -> Vec<Ipv6Net> {
        let rows = self.desk.json(&["list"]);
        let own = rows.as_array().into_iter().flatten().filter(|row| row["mac"] == mac.to_string());
        own.map(|row| prefix(row["prefix"].as_str().expect("a prefix"))).collect()
    }

    /// Has a router send each prefix to its VM, by its interface `eth0`.
    #[track_caller]
    pub fn route(&self, router: &Netns) {
        router.run("ip -6 route flush proto static");
        for line in self.desk.lines(&["list", "--routes", "--dev", "eth0"]) {
            router.run(&format!("{line} proto static"));
        }
    }

    /// Has the database end all of Kea's connections and take no more, as one that is away.
    #[track_caller]
    pub fn take_database_away(&self) {
        self.hosts.sql(
            "ALTER ROLE kea NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kea'",
        );
    }

    /// Has it take Kea's connections again.
    #[track_caller]
    pub fn give_database_back(&self) {
        self.hosts.sql("ALTER ROLE kea LOGIN");
    }

    /// The prefixes that clients hold.
    #[track_caller]
    pub fn leases(&self) -> Vec<Lease> {
        let columns = match (self.hosts.server().kind(), self.hosts.release()) {
            (Kind::Postgres, _) => "host(address::inet), prefix_len, encode(duid, 'hex'), iaid",
            (Kind::Mysql, Release::Kea2_2) => "address, prefix_len, LOWER(HEX(duid)), iaid",
            (Kind::Mysql, _) => "INET6_NTOA(address), prefix_len, LOWER(HEX(duid)), iaid",
        };
        let rows = self.hosts.sql(&format!(
            "SELECT CONCAT_WS(' ', {columns}) FROM lease6 \
             WHERE lease_type = 2 AND state = 0 AND valid_lifetime > 0;"
        ));
        let lease = |row: &str| {
            let words: Vec<_> = row.split(' ').collect();
            // PostgreSQL has no type without a sign.
            let association = words[3].parse::<i64>().expect("a number") & i64::from(u32::MAX);
            Lease {
                prefix: prefix(&format!("{}/{}", words[0], words[1])),
                duid: words[2].to_owned(),
                association: association.try_into().expect("32 bits"),
            }
        };
        let mut leases: Vec<_> = rows.lines().map(lease).collect();
        leases.sort_by_key(|lease| lease.prefix);
        leases
    }
}
