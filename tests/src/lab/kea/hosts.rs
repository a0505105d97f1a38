//! A hosts database: the tables of a release of Kea, made by its own scripts.

use std::process::Command;

use ipv6_sg::kea::Kind;
use ipv6_sg::state::Database;

use super::{Release, Server};
use crate::lab::{Outcome, feed, outcome, run};

/// Whom Kea is to the database, and the password.
pub const KEA: &str = "kea";

/// A database on a server.
pub struct Hosts<'a> {
    server: &'a Server,
    release: Release,
    name: String,
}

impl<'a> Hosts<'a> {
    /// Makes it, with the tables of this release.
    #[track_caller]
    pub fn new(server: &'a Server, release: Release) -> Self {
        let hosts = Self { release, ..Self::empty(server, &Self::known(server, release).name) };
        run(&mut hosts.kea_admin("db-init", release));
        hosts
    }

    /// One that was [made](Self::new) before.
    pub fn known(server: &'a Server, release: Release) -> Self {
        Self { server, release, name: format!("{release:?}").to_lowercase() }
    }

    /// Makes it, without tables.
    #[track_caller]
    pub fn empty(server: &'a Server, name: &str) -> Self {
        let statements = match server.kind() {
            Kind::Postgres => format!(
                "DO $$ BEGIN CREATE ROLE {KEA} LOGIN PASSWORD '{KEA}'; CREATE ROLE locked LOGIN PASSWORD 'right'; \
                 EXCEPTION WHEN duplicate_object THEN NULL; END $$;\nCREATE DATABASE {name} OWNER {KEA};"
            ),
            Kind::Mysql => format!(
                "CREATE DATABASE {name}; CREATE USER IF NOT EXISTS '{KEA}'@'localhost' IDENTIFIED BY '{KEA}'; \
                 GRANT ALL ON {name}.* TO '{KEA}'@'localhost';"
            ),
        };
        let administration = if server.kind() == Kind::Postgres { "postgres" } else { "mysql" };
        feed(&mut server.client(administration), &statements);
        let hosts = Self { server, release: Release::Kea2_2, name: name.to_owned() };
        if server.kind() == Kind::Postgres {
            hosts.sql(&format!("GRANT ALL ON SCHEMA public TO {KEA};"));
        }
        hosts
    }

    /// Its server.
    pub const fn server(&self) -> &Server {
        self.server
    }

    /// The release whose tables it has.
    pub const fn release(&self) -> Release {
        self.release
    }

    /// `kea-admin` with this release's scripts.
    pub fn kea_admin(&self, verb: &str, release: Release) -> Command {
        let mut admin = Command::new("kea-admin");
        let socket = self.server.path("socket");
        match self.server.kind() {
            Kind::Postgres => {
                admin.args([verb, "pgsql", "-h"]).arg(socket.parent().expect("a directory"));
            }
            Kind::Mysql => {
                let socket = format!("--socket={}", socket.display());
                admin.args([verb, "mysql", "-h", "localhost", "-x", &socket]);
            }
        }
        admin.args(["-u", KEA, "-p", KEA, "-n", &self.name, "-d"]).arg(release.scripts());
        admin
    }

    /// Where it is, as Kea's own user.
    pub fn settings(&self) -> Database {
        self.settings_as(KEA)
    }

    /// Where it is, as somebody.
    pub fn settings_as(&self, user: &str) -> Database {
        let (name, socket) = (&self.name, self.server.path("socket"));
        let url = match self.server.kind() {
            Kind::Postgres => {
                let directory = socket.parent().expect("a directory");
                format!("postgresql://{user}@/{name}?host={}", directory.display())
            }
            Kind::Mysql => format!("mysql://{user}@/{name}?socket={}", socket.display()),
        };
        let password_file = self.server.path(&format!("{user}.password"));
        if user == KEA && self.server.kind() == Kind::Mysql {
            write_secret(&password_file, KEA);
        }
        Database { url, password_file: password_file.exists().then_some(password_file) }
    }

    /// Writes so many VMs, as somebody else does: each has the next /60 of `2001:db8:f000::/40`. For the tables of Kea 2.2.
    #[track_caller]
    pub fn fill(&self, count: u32) {
        let (context, end) = (r#"'{"ipv6-sg":{"vm":"i-'"#, r#"'"}}'"#);
        let statements = match self.server.kind() {
            Kind::Postgres => format!(
                "INSERT INTO hosts (host_id, dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id, user_context) \
                 SELECT n + 1, decode('06' || lpad(to_hex(n), 10, '0'), 'hex'), 0, 1, {context} || n || {end} \
                 FROM generate_series(0, {count} - 1) n; \
                 INSERT INTO ipv6_reservations (address, prefix_len, type, host_id) \
                 SELECT '2001:db8:f0' || lpad(to_hex(n >> 12), 2, '0') || ':' || to_hex((n & 4095) << 4) || '::', 60, 2, n + 1 \
                 FROM generate_series(0, {count} - 1) n; SELECT setval('hosts_host_id_seq', {count} + 1);"
            ),
            Kind::Mysql => format!(
                "INSERT INTO hosts (host_id, dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id, user_context) \
                 SELECT seq + 1, UNHEX(CONCAT('06', LPAD(HEX(seq), 10, '0'))), 0, 1, CONCAT({context}, seq, {end}) \
                 FROM seq_0_to_{last}; \
                 INSERT INTO ipv6_reservations (address, prefix_len, type, host_id) \
                 SELECT CONCAT('2001:db8:f0', LOWER(LPAD(HEX(seq >> 12), 2, '0')), ':', LOWER(HEX((seq & 4095) << 4)), '::'), \
                 60, 2, seq + 1 FROM seq_0_to_{last};",
                last = count - 1
            ),
        };
        self.sql(&statements);
    }

    /// Runs statements as the administrator; what they answer, a line a row.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        feed(&mut self.server.client(&self.name), statements)
    }

    /// A client that reads statements, as the administrator.
    pub fn client(&self) -> Command {
        self.server.client(&self.name)
    }

    /// A MAC, as a statement writes it.
    pub fn identifier(&self, mac: &str) -> String {
        let digits = mac.replace(':', "");
        match self.server.kind() {
            Kind::Postgres => format!("decode('{digits}', 'hex')"),
            Kind::Mysql => format!("UNHEX('{digits}')"),
        }
    }

    /// An address, as a statement writes it for the tables of a release.
    pub fn address(&self, release: Release, text: &str) -> String {
        match (self.server.kind(), release) {
            (Kind::Mysql, Release::Kea2_6 | Release::Kea3_0) => format!("INET6_ATON('{text}')"),
            _ => format!("'{text}'"),
        }
    }

    /// Makes a host by hand, if there is none in the subnet.
    #[track_caller]
    pub fn host(&self, mac: &str, subnet_id: u32) {
        let identifier = self.identifier(mac);
        self.sql(&format!(
            "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id) \
             SELECT {identifier}, 0, {subnet_id} FROM (SELECT 1) one WHERE NOT EXISTS \
             (SELECT 1 FROM hosts WHERE dhcp_identifier = {identifier} AND dhcp6_subnet_id = {subnet_id});"
        ));
    }

    /// A statement that reserves a prefix for a MAC whose host is there.
    pub fn reservation(&self, release: Release, mac: &str, prefix: &str) -> String {
        let (address, length) = prefix.split_once('/').expect("a prefix");
        let (address, identifier) = (self.address(release, address), self.identifier(mac));
        format!(
            "INSERT INTO ipv6_reservations (address, prefix_len, type, host_id) \
             VALUES ({address}, {length}, 2, (SELECT host_id FROM hosts WHERE dhcp_identifier = {identifier}));"
        )
    }

    /// Reserves a prefix by hand, as an operator would type it.
    #[track_caller]
    pub fn reserve(&self, release: Release, mac: &str, subnet_id: u32, prefix: &str) {
        self.host(mac, subnet_id);
        self.sql(&self.reservation(release, mac, prefix));
    }

    /// Runs a statement that may be refused.
    #[track_caller]
    pub fn try_sql(&self, statement: &str) -> Outcome {
        let flag = if self.server.kind() == Kind::Postgres { "-c" } else { "-e" };
        outcome(self.server.client(&self.name).args([flag, statement]))
    }

    /// Runs a statement that must be refused, with one of these words.
    #[track_caller]
    pub fn refuses(&self, statement: &str, words: &[&str]) {
        let outcome = self.try_sql(statement);
        assert_ne!(outcome.code, Some(0), "{statement}: {outcome:?}");
        assert!(words.iter().any(|word| outcome.err.contains(word)), "{statement}: {outcome:?}");
    }
}

/// A file that its owner alone may read.
#[track_caller]
pub fn write_secret(path: &std::path::Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("our own directory");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("our own file");
}
