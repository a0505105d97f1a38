//! A host with systemd as its first process, in namespaces: what is installed there is installed as on any other Debian.
//!
//! Its files are this host's, and what it writes is gone with it: an overlay, with a tmpfs above. Other mounts below / are
//! not seen. Its interfaces are a hypervisor's; everything else, a bpffs too, is its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::netns::unique;
use super::process::{Outcome, outcome, run};
use super::undo::{self, Made, Thing};
use super::{Hypervisor, Process, eventually};

/// Names the folder with the packages; `cargo xtask test dist` makes them.
const PACKAGES: &str = "IPV6_SG_PACKAGES";

const MAKE: &str = include_str!("system.sh");

/// A running system. It is switched off when dropped.
pub struct System {
    first: Process,
    /// The first process, by its number outside.
    id: String,
    _group: Made,
}

impl System {
    /// Starts it on the hypervisor's interfaces, and waits until all it starts with has started. `before` is run in it by a
    /// shell before that. The packages are in its `/mnt`.
    #[track_caller]
    pub fn boot(hypervisor: &Hypervisor, before: &str) -> Self {
        let packages = std::env::var_os(PACKAGES);
        let packages = packages.unwrap_or_else(|| panic!("{PACKAGES} names no packages: run `cargo xtask test dist`"));
        let directory = hypervisor.site.path("system");
        fs::create_dir(&directory).expect("our own directory");

        let new = || {
            let group = groups().join(unique());
            fs::create_dir(&group)?;
            Ok(group)
        };
        let (group, made) = undo::make(new, |group| Thing::Group(group.clone())).expect("a control group");
        let mut command = hypervisor.netns.command("sh");
        // It enters the group before it counts as a root, and is its own first process after.
        command.args(["-euc", r#"echo $$ > "$1/cgroup.procs"; shift; exec "$@""#, "sh"]).arg(group);
        command.args(["unshare", "--mount", "--cgroup", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]);
        command.args(["sh", "-c", MAKE, "sh"]).arg(directory).arg(packages).arg(before);
        let first = Process::start(command);
        let id = eventually("the first process", || {
            assert!(first.ended().is_none(), "it ended: {:#?}", first.lines());
            let children = format!("/proc/{0}/task/{0}/children", first.id());
            let child = fs::read_to_string(children).ok()?.split_whitespace().next()?.to_owned();
            let is_systemd = fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "systemd\n");
            is_systemd.then_some(child)
        });
        let system = Self { first, id, _group: made };
        eventually("a system that has started", || {
            assert!(system.first.ended().is_none(), "it ended: {:#?}", system.first.lines());
            let state = system.try_run("systemctl is-system-running").out;
            // What of this host's does not start in a namespace is none of ours.
            ["running", "degraded"].contains(&state.trim()).then_some(())
        });
        system
    }

    /// Runs a line of the shell in it, and returns what it prints; panics when it fails.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        run(&mut self.shell(line))
    }

    /// Runs a line of the shell in it.
    #[track_caller]
    pub fn try_run(&self, line: &str) -> Outcome {
        outcome(&mut self.shell(line))
    }

    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.id, "--mount", "--cgroup", "--pid", "--uts", "--ipc", "--net"]);
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"]);
        command.args(["sh", "-euc", line]);
        command
    }
}

/// Where control groups of the second version are.
fn groups() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the kernel tells its mounts");
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let path = mount.and_then(|line| line.split(' ').nth(1)).expect("cgroup2, which systemd needs, is mounted nowhere");
    Path::new(path).to_owned()
}
