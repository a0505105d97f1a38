//! What the lab makes is gone afterwards: when a test panics, and when a signal ends the demo, wherever it is.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;
use std::thread;

use ipv6_sg_tests::lab::{Hypervisor, Ip, PATIENCE, Process, eventually, look};
use ipv6_sg_tests::world::VM_MAC;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use tempfile::TempDir;

/// What in a directory begins like this.
fn names(directory: &str, beginning: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory}: {error}"));
    let names = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(beginning)).collect()
}

#[test]
fn a_test_that_panics_leaves_nothing() {
    let mut made = None;
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
        let hypervisor = Hypervisor::new();
        let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        hypervisor.ports(&[&vm]);
        let daemon = hypervisor.daemon();
        let namespaces = [&vm.netns, &hypervisor.netns].map(|netns| Path::new("/run/netns").join(netns.name()));
        let site = [hypervisor.site.pins.clone(), hypervisor.site.path("")];
        let paths = [&namespaces[..], &site[..]].concat();
        assert!(paths.iter().all(|path| path.exists()), "{paths:?}");
        made = Some((paths, daemon.id()));
        panic!("on purpose");
    }));
    assert_eq!(panicked.expect_err("it panics").downcast_ref(), Some(&"on purpose"));
    let (paths, daemon) = made.expect("it got there");
    let left: Vec<_> = paths.iter().filter(|path| path.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(kill(daemon, None), Err(Errno::ESRCH));
}

/// The demo, in a process group of its own.
struct Demo {
    process: Process,
    temporary: TempDir,
}

impl Demo {
    fn start(words: &[&str]) -> Self {
        let temporary = TempDir::new().expect("a place for temporary files");
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.args(words).env("TMPDIR", temporary.path()).process_group(0);
        Self { process: Process::start(command), temporary }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        names(directory, &format!("ipv6-sg-{}-", self.process.id()))
    }

    /// Waits for its end, and looks for what it left.
    #[track_caller]
    fn assert_clean_end(mut self, signal: Signal) {
        let status = self.process.wait();
        assert_eq!(status.code(), Some(128 + signal as i32), "{status}: {:#?}", self.process.lines());
        for word in ["panicked", "FAILED", "left behind"] {
            self.process.assert_never(word);
        }
        let told = self.process.lines().into_iter().find(|line| line.starts_with("error: "));
        assert_eq!(told, None, "an end that was asked for is told as an error");
        assert_eq!(self.names("/run/netns"), [""; 0]);
        assert_eq!(self.names("/sys/fs/bpf"), [""; 0]);
        assert_eq!(names(self.temporary.path().to_str().expect("text"), ""), [""; 0]);
        // Children of children see that they are alone, and end.
        let group = self.process.id();
        eventually("the end of all it started", || (killpg(group, None) == Err(Errno::ESRCH)).then_some(()));
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if thread::panicking() {
            // It can take away what it made, if it is not killed.
            let _ = kill(self.process.id(), Signal::SIGTERM);
            look(PATIENCE, || self.process.ended());
        }
    }
}

#[test]
fn the_demo_ends_clean_while_it_sets_its_stage() {
    let demo = Demo::start(&[]);
    eventually("a namespace", || (!demo.names("/run/netns").is_empty()).then_some(()));
    demo.process.signal(Signal::SIGTERM);
    demo.assert_clean_end(Signal::SIGTERM);
}

/// As a terminal does it: everybody in the group is told.
#[test]
fn the_demo_ends_clean_while_it_waits_and_others_run() {
    let mut demo = Demo::start(&[]);
    demo.process.wait_for("1. An honest guest");
    assert!(!demo.names("/run/netns").is_empty() && !demo.names("/sys/fs/bpf").is_empty());
    killpg(demo.process.id(), Signal::SIGINT).expect("it runs");
    demo.assert_clean_end(Signal::SIGINT);
}

#[test]
fn the_demo_shows_what_it_promises_and_ends_clean_when_held() {
    let mut demo = Demo::start(&["--hold"]);
    for line in ["1. An", "2. VM 1", "3. The link", "4. Security", "5. What", "The stage stays until Ctrl-C"] {
        demo.process.wait_for(line);
    }
    demo.process.wait_for(
        "verdict: all 20 honest exchanges went as they should, all 44 forgeries and all 7 packets that no rule allows died at \
         the tap, in ",
    );
    killpg(demo.process.id(), Signal::SIGINT).expect("it runs");
    demo.assert_clean_end(Signal::SIGINT);
}
