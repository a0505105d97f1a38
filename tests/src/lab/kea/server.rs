//! A database server of the tests' own: files in a directory, one socket in it, and nobody else's.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipv6_sg::kea::Kind;
use nix::sys::signal::Signal;
use nix::unistd::{User, chown};

use crate::lab::undo::{self, Made, Thing};
use crate::lab::{Process, run};

/// A running server. It ends when it is dropped.
pub struct Server {
    kind: Kind,
    process: Process,
    directory: PathBuf,
    _made: Made,
}

impl Server {
    /// Makes one, and waits until it answers.
    #[track_caller]
    pub fn start(kind: Kind) -> Self {
        // In memory: thousands of statements make a schema, and MariaDB waits for the disk at each.
        let new = || Ok(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?.keep());
        let made = undo::make(new, |directory| Thing::Directory(directory.clone()));
        let (directory, made) = made.expect("a place for temporary files");
        let account = account(kind);
        chown(&directory, Some(account.uid), Some(account.gid)).expect("we are root");
        Self { kind, process: process(kind, &directory), directory, _made: made }
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Kills it, as power that fails does.
    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait();
    }

    /// Starts it again, on what it has written.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process = serve(self.kind, &self.directory);
    }

    /// A client that reads statements, as the server's administrator.
    pub(super) fn client(&self, database: &str) -> Command {
        let mut client;
        match self.kind {
            Kind::Postgres => {
                client = Command::new("psql");
                client.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
                client.arg("-h").arg(&self.directory).args(["-U", "postgres", "-d", database]);
            }
            Kind::Mysql => {
                client = Command::new("mariadb");
                client.args(["--no-defaults", "--batch", "--skip-column-names"]);
                client.arg(format!("--socket={}", self.path("socket").display()));
                client.args(["--user=root", database]);
            }
        }
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed, PostgreSQL would leave memory behind that it shares.
        if self.process.ended().is_none() {
            self.process.signal(if self.kind == Kind::Postgres { Signal::SIGQUIT } else { Signal::SIGTERM });
            self.process.wait();
        }
    }
}

/// The account that a server of this kind runs as: none runs as root.
fn account(kind: Kind) -> User {
    let name = if kind == Kind::Postgres { "postgres" } else { "mysql" };
    User::from_name(name).expect("readable").unwrap_or_else(|| panic!("no user {name}: run `cargo xtask test pd`"))
}

fn as_account(kind: Kind, program: impl AsRef<std::ffi::OsStr>, directory: &Path) -> Command {
    let account = account(kind);
    let mut command = Command::new(program);
    command.uid(account.uid.as_raw()).gid(account.gid.as_raw()).current_dir(directory);
    command
}

/// What PostgreSQL's processes share is among its files: elsewhere, it would stay behind when one is killed.
const MEMORY: &str = "dynamic_shared_memory_type=mmap";

/// Makes the files and starts the server.
fn process(kind: Kind, directory: &Path) -> Process {
    let data = directory.join("data");
    match kind {
        Kind::Postgres => {
            let mut make = as_account(kind, postgres("initdb"), directory);
            make.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "--username=postgres", "-D"]);
            run(make.arg(&data));
            // One user has to prove who it is.
            let rules = "local all locked scram-sha-256\nlocal all all trust\n";
            fs::write(data.join("pg_hba.conf"), rules).expect("our own directory");
        }
        Kind::Mysql => {
            let mut make = as_account(kind, "mariadb-install-db", directory);
            make.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
            make.arg(format!("--tmpdir={}", directory.display()));
            run(make.arg(format!("--datadir={}", data.display())));
        }
    }
    serve(kind, directory)
}

/// Starts the server on its files.
fn serve(kind: Kind, directory: &Path) -> Process {
    let (data, socket) = (directory.join("data"), directory.join("socket"));
    let mut serve;
    let ready;
    match kind {
        Kind::Postgres => {
            serve = as_account(kind, postgres("postgres"), directory);
            serve.arg("-D").arg(&data);
            let sockets = format!("unix_socket_directories={}", directory.display());
            for setting in ["listen_addresses=", &sockets, "fsync=off", "max_connections=50", MEMORY] {
                serve.args(["-c", setting]);
            }
            ready = "ready to accept connections";
        }
        Kind::Mysql => {
            serve = as_account(kind, "/usr/sbin/mariadbd", directory);
            serve.args(["--no-defaults", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]);
            serve.arg(format!("--datadir={}", data.display())).arg(format!("--socket={}", socket.display()));
            // Another's files in a directory that they share would be removed when this one starts.
            serve.arg(format!("--tmpdir={}", directory.display()));
            serve.arg(format!("--pid-file={}", directory.join("pid").display()));
            ready = "ready for connections";
        }
    }
    let mut process = Process::start(serve);
    process.wait_for(ready);
    process
}

/// A program of the newest PostgreSQL there is, which is on no path.
fn postgres(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL: run `cargo xtask test pd`");
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.expect("readable").path()).max_by_key(number);
    newest.expect("a version of PostgreSQL").join("bin").join(program)
}
