//! A network namespace.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{self, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{panic, thread};

use nix::sched::{CloneFlags, setns};

/// A network namespace, gone with everything in it when dropped.
pub struct Netns {
    name: String,
    file: File,
}

/// `ip netns add` prepares a directory for all of them the first time: one after the other.
static ADDING: Mutex<()> = Mutex::new(());

/// A number that no other thing of this process has.
pub(super) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("sg{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Netns {
    /// A namespace with its loopback up; `role` is part of its name, for whoever looks at a test that hangs.
    pub fn new(role: &str) -> Self {
        let name = format!("{}-{role}", unique());
        let path = format!("/run/netns/{name}");
        {
            let _alone = ADDING.lock();
            run(Command::new("ip").args(["netns", "add", &name]));
        }
        let file = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let netns = Self { name, file };
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
    pub fn succeeds(&self, line: &str) -> bool {
        let out = self.try_command(line).stdin(Stdio::null()).output();
        out.unwrap_or_else(|error| panic!("{line}: {error}")).status.success()
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
        let mut command = self.command("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nsenter starts");
        child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("ip reads");
        let out = child.wait_with_output().expect("ip ends");
        assert!(out.status.success(), "ip -batch: {}\n{lines}", String::from_utf8_lossy(&out.stderr));
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

impl Drop for Netns {
    fn drop(&mut self) {
        // A second panic would end all tests of the process.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).stderr(Stdio::null()).status();
    }
}

/// Runs a program and returns what it prints; panics with everything it said when it fails.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {}\n{stdout}{stderr}", out.status);
    stdout.into_owned()
}
