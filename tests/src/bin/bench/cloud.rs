//! A host full of VMs that CloudStack's agent speaks of: from nothing, after a restart, after a reboot; and what its script takes.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::lab::{CloudAgent, Hypervisor, Netns, Process, within};

use crate::middle::middle;
use crate::part::{Aim, Part};
use crate::rivals::stock;
use crate::sample::{Rule, Vm};
use crate::table::Table;

/// How many VMs the host has.
const VMS: u32 = 1000;
/// How many rules each has, half of them each way.
const RULES: u32 = 100;
/// How many of them the script is timed for: each takes it longer than the one before.
const SCRIPTED: u32 = 50;
/// How many calls are timed on the full host.
const ROUNDS: u32 = 21;
/// The longest that a daemon takes to guard them all.
const PATIENCE: Duration = Duration::from_secs(600);

/// Measures.
///
/// # Errors
/// Somebody refuses something.
pub fn measure() -> Result<Part> {
    let hypervisor = Hypervisor::new();
    let agent = hypervisor.cloudstack("");
    let vms: Vec<_> = (1..=VMS).map(Guarded::new).collect();
    let taps: Vec<_> = vms.iter().map(Guarded::tap).collect();
    hypervisor.netns.ip(&taps.join("\n"));

    let daemon = hypervisor.daemon();
    let began = Instant::now();
    for vm in &vms {
        agent.done(&vm.started());
        agent.done(&vm.ruled(1));
    }
    let cold = began.elapsed();
    let memory = memory(&daemon)?;
    let again = timed(&agent, |round| vms.get(round as usize).map(|vm| vm.ruled(1)))?;
    let changed = timed(&agent, |round| vms.get(round as usize).map(|vm| vm.ruled(2)))?;
    let logs = timed(&agent, |_| Some("get_rule_logs_for_vms".to_owned()))?;
    drop(daemon);
    let began = Instant::now();
    let daemon = started(&hypervisor);
    let restart = began.elapsed();
    drop(daemon);
    hypervisor.ask("detach --all");
    let began = Instant::now();
    let daemon = started(&hypervisor);
    within(PATIENCE, "a guarded host", || (hypervisor.programs(&format!("vnet{VMS}")) == 2).then_some(()));
    let reboot = began.elapsed();
    drop(daemon);

    let netns = Netns::new("rivals");
    let (script, first, last) = netns.inside(script)?;
    let all = script * VMS / SCRIPTED;
    let mut table = Table::new(["what", "by", "time", "each VM"]);
    let mut row = |what: &str, by: &str, took: Duration, count: u32| {
        let each = format!("{:.2} ms", took.as_secs_f64() * 1e3 / f64::from(count));
        let took =
            if took < Duration::from_secs(1) { format!("{took:.1?}") } else { format!("{:.1} s", took.as_secs_f64()) };
        table.row([what.to_owned(), by.to_owned(), took, each]);
    };
    row("1000 VMs from nothing, two calls each", "ipv6-sg, the agent's calls", cold, VMS);
    row("50 VMs from nothing", "CloudStack's way", script, SCRIPTED);
    row("1000 VMs, 20 times that: the least", "CloudStack's way", all, VMS);
    row("of it the first VM", "CloudStack's way", first, 1);
    row("of it the fiftieth", "CloudStack's way", last, 1);
    row("rules of one VM, with 1000 there", "ipv6-sg, a call", changed, 1);
    row("the same rules again, all looked at", "ipv6-sg, a call", again, 1);
    row("which rules are in force", "ipv6-sg, a call", logs, VMS);
    row("1000 VMs, the daemon is restarted", "ipv6-sg, from its records", restart, VMS);
    row("1000 VMs, after a reboot", "ipv6-sg, from its records", reboot, VMS);
    let note = format!(
        "{VMS} taps, {RULES} rules for each VM, no two alike. A call is a process of its own, as the agent starts it, and it has \
         come back. Most of a cold start and of a reboot is the kernel's: two grace periods for each tap. CloudStack's way is its \
         own commands, one process each; what its script does besides, starting Python and asking libvirt for one, is not \
         counted, and it does not grow in proportion: each VM takes longer than the one before. The daemon has {} MB of memory \
         when all are there, beside the kernel's (see Memory).",
        memory / 1_000_000
    );
    let aims =
        vec![Aim::new("1000 VMs come in less time than CloudStack's script takes for 50".to_owned(), cold < script)];
    Ok(Part { name: "cloudstack", title: "A host full of VMs", note, tables: vec![table], aims, bars: None })
}

/// A daemon that has guarded all of them.
fn started(hypervisor: &Hypervisor) -> Process {
    let daemon = Process::start(hypervisor.site.verb(&hypervisor.netns, "daemon"));
    within(PATIENCE, "a daemon that is ready", || (!daemon.lines_with(" ready ").is_empty()).then_some(()));
    daemon
}

/// A VM and what the agent says of it.
struct Guarded {
    number: u32,
    mac: Mac,
    vm: Vm,
}

impl Guarded {
    fn new(number: u32) -> Self {
        let vm = Vm::idle(number, RULES / 2);
        Self { number, mac: vm.mac, vm }
    }

    fn tap(&self) -> String {
        let [_, a, b, c, d, e] = self.mac.octets;
        let tap = Mac { octets: [0xfe, a, b, c, d, e] };
        let number = self.number;
        format!("tuntap add dev vnet{number} mode tap\nlink set vnet{number} address {tap}")
    }

    fn words(&self) -> String {
        let Self { number, mac, vm } = self;
        let [_, global] = vm.addresses();
        format!(
            "--vmname i-2-{number}-VM --vmid {number} --vmip 10.1.0.1 --vmip6 {global} --vmmac {mac} --vif vnet{number} \
             --brname br0 --nicsecips 0;"
        )
    }

    fn started(&self) -> String {
        format!("default_network_rules {}", self.words())
    }

    fn ruled(&self, sequence: u32) -> String {
        let rule =
            |side: &str, Rule { protocol, port, peer }: &Rule| format!("{side}:{protocol};{port};{port};{peer},NEXT;");
        let ingress = self.vm.ingress.iter().map(|rule_| rule("I", rule_));
        // One rule less tells the second sequence from the first.
        let egress = self.vm.egress.iter().skip(sequence as usize - 1).map(|rule_| rule("E", rule_));
        let rules: String = ingress.chain(egress).collect();
        format!("add_network_rules {} --sig s{sequence} --seq {sequence} --rules {rules}", self.words())
    }
}

/// How long a call takes, in the middle of some.
fn timed(agent: &CloudAgent<'_>, words: impl Fn(u32) -> Option<String>) -> Result<Duration> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let words = words(round).context("a VM")?;
        let began = Instant::now();
        agent.done(&words);
        times.push(began.elapsed());
    }
    Ok(middle(times))
}

/// What a daemon has in memory, in bytes.
fn memory(daemon: &Process) -> Result<u64> {
    // It was started by nsenter, which it took the place of.
    let path = format!("/proc/{}/status", daemon.id());
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("VmRSS:")).with_context(|| format!("no VmRSS in {path}"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmRSS {line}"))?;
    Ok(kilobytes * 1024)
}

/// What CloudStack's commands take for all of them, for the first and for the last.
fn script() -> Result<(Duration, Duration, Duration)> {
    stock::one_by_one("ip6tables", &stock::bridge("uplink"))?;
    let mut times = Vec::new();
    for number in 1..=SCRIPTED {
        let commands = stock::vm(&Vm::idle(number, RULES / 2));
        let began = Instant::now();
        stock::one_by_one("ipset", &commands.sets)?;
        stock::one_by_one("ip6tables", &commands.filters)?;
        stock::one_by_one("ebtables", &commands.frames)?;
        times.push(began.elapsed());
    }
    let first = times.first().copied().context("a VM")?;
    let last = times.last().copied().context("a VM")?;
    Ok((times.iter().sum(), first, last))
}
