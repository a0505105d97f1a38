//! The programs by which VMs ask for prefixes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipnet::Ipv6Net;

use crate::lab::{Guest, Process, eventually};

/// How a client makes itself an identifier that stays the same.
#[derive(Clone, Copy, Debug)]
pub enum Duid {
    /// Of its MAC.
    LinkLayer,
    /// Of its MAC and the time: what a guest has that was installed anew.
    LinkLayerTime,
}

/// Writes down what the client says about each prefix: why, which one was, which one is.
const SCRIPT: &str =
    "#!/bin/sh\necho \"$reason ${old_ip6_prefix:--} ${new_ip6_prefix:--} ${new_max_life:--}\" >> \"$EVENTS\"\n";

/// A running `dhclient -6 -P`. It forgets its identifier when it is dropped.
pub struct Dhclient {
    /// The program.
    pub process: Process,
    events: PathBuf,
}

impl Dhclient {
    /// Starts it in a guest, to ask for so many prefixes. `directory` is one of its own, made here.
    #[track_caller]
    pub fn start(guest: &Guest, directory: &Path, duid: Duid, prefixes: usize) -> Self {
        fs::create_dir(directory).expect("our own directory");
        let [script, events, leases, config] = ["script", "events", "leases", "conf"].map(|name| directory.join(name));
        fs::write(&script, SCRIPT).expect("our own directory");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own directory");
        fs::write(&config, "").expect("our own directory");
        let mut command = guest.netns.command("dhclient");
        command.args([
            "-6",
            "-d",
            "-v",
            "--no-pid",
            "-D",
            match duid {
                Duid::LinkLayer => "LL",
                Duid::LinkLayerTime => "LLT",
            },
        ]);
        command.args(vec!["-P"; prefixes]).arg("-e").arg(format!("EVENTS={}", events.display()));
        command.arg("-sf").arg(script).arg("-lf").arg(leases).arg("-cf").arg(config).arg("eth0");
        Self { process: Process::start(command), events }
    }

    /// What its script was told, a line each: the reason, the prefix of before, the prefix of now, how long it is valid.
    pub fn events(&self) -> Vec<String> {
        fs::read_to_string(&self.events).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
    }

    /// Waits until it has been told of a prefix, for one of these reasons.
    #[track_caller]
    pub fn wait_told(&self, reasons: &[&str], prefix: Ipv6Net) {
        self.wait_told_again(reasons, prefix, 0);
    }

    /// Waits until it has been told of a prefix once more than so many times.
    #[track_caller]
    pub fn wait_told_again(&self, reasons: &[&str], prefix: Ipv6Net, before: usize) {
        let told = || (self.times_told(reasons, prefix) > before).then_some(());
        let what = format!("{reasons:?} of {prefix}");
        if crate::lab::look(crate::lab::PATIENCE, told).is_none() {
            panic!("no {what}: {:#?}\n{:#?}", self.events(), self.process.lines());
        }
    }

    /// How often it was told of a prefix for one of these reasons.
    pub fn times_told(&self, reasons: &[&str], prefix: Ipv6Net) -> usize {
        let prefix = prefix.to_string();
        let of = |line: &&String| {
            let words: Vec<_> = line.split(' ').collect();
            reasons.contains(&words[0]) && words[1..3].contains(&prefix.as_str())
        };
        self.events().iter().filter(of).count()
    }

    /// Waits until the server has said that it has nothing for one who asks.
    #[track_caller]
    pub fn wait_refused(&mut self) {
        self.process.wait_for("Status code of no prefix");
    }
}

/// A running `dhcp6c`, which gives an address of each prefix to an interface `lanN` of the guest.
pub struct Dhcp6c {
    /// The program.
    pub process: Process,
}

/// It keeps its identifier where every other of its kind keeps it.
const PRIVATE: &str = "mkdir -p /var/lib/dhcpv6; mount -t tmpfs tmpfs /var/lib/dhcpv6; exec dhcp6c \"$@\"";

impl Dhcp6c {
    /// Starts it in a guest, to ask for so many prefixes. `directory` is one of its own, made here.
    #[track_caller]
    pub fn start(guest: &Guest, directory: &Path, prefixes: usize) -> Self {
        fs::create_dir(directory).expect("our own directory");
        let (mut asks, mut gets) = (String::new(), String::new());
        for number in 0..prefixes {
            guest.netns.ip(&format!(
                "link add lan{number} type veth peer name inside{number}\nlink set lan{number} up\nlink set inside{number} up"
            ));
            asks += &format!("send ia-pd {number};\n");
            gets += &format!("id-assoc pd {number} {{ prefix-interface lan{number} {{ sla-id 1; sla-len 4; }}; }};\n");
        }
        let config = directory.join("dhcp6c.conf");
        fs::write(&config, format!("interface eth0 {{\n{asks}}};\n{gets}")).expect("our own directory");
        let mut command: Command = guest.netns.command("unshare");
        command.args(["--mount", "sh", "-euc", PRIVATE, "sh", "-f", "-D", "-c"]).arg(config);
        command.arg("-p").arg(directory.join("pid")).arg("eth0");
        Self { process: Process::start(command) }
    }

    /// The address that it has given to the interface of this number, when there is one.
    #[track_caller]
    pub fn wait_address(&self, guest: &Guest, number: usize) -> std::net::Ipv6Addr {
        eventually("an address out of a prefix", || {
            assert!(self.process.ended().is_none(), "it ended: {:#?}", self.process.lines());
            let text = guest.netns.run(&format!("ip -6 -oneline address show dev lan{number} scope global -tentative"));
            let word = text.split_whitespace().find_map(|word| word.split_once('/'));
            word.and_then(|(address, _)| address.parse().ok())
        })
    }
}
