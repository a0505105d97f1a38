//! A network namespace.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{panic, thread};

use anyhow::{Result, ensure};
use nix::sched::{CloneFlags, setns};

use super::process::{feed, outcome, run};
use super::undo::{self, Made, Thing};

/// A network namespace, gone with everything in it when dropped.
pub struct Netns {
    name: String,
    file: File,
    _made: Made,
}

/// A name that no other thing has.
pub(super) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("ipv6-sg-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Netns {
    /// A namespace with its loopback up; `role` is part of its name, for whoever looks at a test that hangs.
    #[track_caller]
    pub fn new(role: &str) -> Self {
        let name = format!("{}-{role}", unique());
        // `ip netns add` prepares a directory for all of them the first time: `make` goes one after the other.
        let made = undo::make(|| add(&name), |_| Thing::Namespace(name.clone()));
        let (file, made) = made.unwrap_or_else(|error| panic!("cannot make the namespace {name}: {error:#}"));
        let netns = Self { name, file, _made: made };
        netns.ip("link set lo up");
        netns
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program inside. `nsenter`, because `ip netns exec` mounts another /sys and hides the bpffs.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg(program);
        command
    }

    /// Runs a command line inside and returns what it prints; panics when it fails.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        run(&mut self.try_command(line))
    }

    /// Whether a command line succeeds inside.
    #[track_caller]
    pub fn succeeds(&self, line: &str) -> bool {
        outcome(&mut self.try_command(line)).code == Some(0)
    }

    fn try_command(&self, line: &str) -> Command {
        let mut words = line.split_whitespace();
        let mut command = self.command(words.next().expect("a command"));
        command.args(words);
        command
    }

    /// Runs lines of `ip -batch` inside.
    #[track_caller]
    pub fn ip(&self, lines: &str) {
        feed(self.command("ip").args(["-batch", "-"]), lines);
    }

    /// Sets a key below /proc/sys/net inside.
    #[track_caller]
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = format!("/proc/sys/net/{key}");
        self.inside(|| fs::write(&path, value).unwrap_or_else(|error| panic!("{path}: {error}")));
    }

    /// Runs a function on a thread of its own inside.
    pub fn inside<T: Send>(&self, function: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            setns(&self.file, CloneFlags::CLONE_NEWNET).expect("root enters a namespace");
            function()
        };
        thread::scope(|scope| scope.spawn(entered).join()).unwrap_or_else(|panic| panic::resume_unwind(panic))
    }

    /// The index of an interface inside, if it is there.
    pub fn ifindex(&self, interface: &str) -> Option<u32> {
        self.inside(|| nix::net::if_::if_nametoindex(interface).ok())
    }
}

fn add(name: &str) -> Result<File> {
    ip_netns("add", name)?;
    Ok(File::open(format!("/run/netns/{name}"))?)
}

/// By `ip`, so that people find it by its name; and out of the terminal's reach: Ctrl-C would stop it half-way.
pub(super) fn ip_netns(verb: &str, name: &str) -> Result<()> {
    let out = Command::new("ip").args(["netns", verb, name]).stdin(Stdio::null()).process_group(0).output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr).trim());
    Ok(())
}
