//! Kea's database, in a PostgreSQL of the test's own: its files in a directory of its own, reached by a socket in there and by
//! nothing else.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::lab::{PATIENCE, Process, Site, eventually, look, outcome, run};

/// PostgreSQL refuses to run as root.
const USER: &str = "postgres";

/// A running PostgreSQL with the database `kea`, and what belongs to the machine that it is on.
pub struct Database {
    server: Process,
    directory: PathBuf,
    /// Files of the machine that database and server are on.
    pub site: Site,
}

impl Database {
    /// Makes it, with Kea's schema and nothing in it.
    #[track_caller]
    pub fn start() -> Self {
        let site = Site::new();
        let directory = site.path("postgresql");
        let user = User::from_name(USER).expect("readable").expect("the user that Debian's package makes");
        fs::create_dir(&directory).expect("our own directory");
        chown(&directory, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("our own directory");
        let data = directory.join("data");
        let words = ["--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "-D"];
        run(program("initdb").args(words).arg(&data));
        let mut server = program("postgres");
        server.arg("-D").arg(&data).args(["-c", "listen_addresses=", "-c", "fsync=off", "-c"]);
        server.arg(format!("unix_socket_directories={}", directory.display()));
        let database = Self { server: Process::start(server), directory, site };
        eventually("PostgreSQL", || {
            assert!(database.server.ended().is_none(), "it ended: {:#?}", database.server.lines());
            (outcome(database.psql("postgres").args(["--command", "SELECT 1"])).code == Some(0)).then_some(())
        });
        for statement in ["CREATE USER kea PASSWORD 'kea'", "CREATE DATABASE kea OWNER kea"] {
            run(database.psql("postgres").args(["--command", statement]));
        }
        let mut admin = Command::new("kea-admin");
        run(admin.args(["db-init", "pgsql", "-u", "kea", "-p", "kea", "-n", "kea", "-h"]).arg(database.host()));
        database
    }

    /// Where its socket is: what programs take for its host.
    pub fn host(&self) -> &Path {
        &self.directory
    }

    /// Runs a statement and returns its rows, their columns apart by `|`.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> Vec<String> {
        run(self.psql("kea").args(["--command", statement])).lines().map(ToOwned::to_owned).collect()
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.arg("--host").arg(&self.directory).args(["--username", USER, "--dbname", database]);
        psql
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.server.ended().is_none() {
            // At once, but in order: killed, it would leave its shared memory behind.
            self.server.signal(Signal::SIGQUIT);
            look(PATIENCE, || self.server.ended());
        }
    }
}

/// A program of the newest PostgreSQL, as its user. Debian puts those not in the path of which there may be several.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let found = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).max();
    let path = found.unwrap_or_else(|| panic!("no {name} below /usr/lib/postgresql: `cargo xtask setup` installs it"));
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--init-groups"]).arg(path).current_dir("/");
    command
}
