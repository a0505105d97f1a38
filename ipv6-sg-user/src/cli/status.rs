//! `ipv6-sg status`: is everything that should be guarded guarded?

use std::io::{self, Write};

use anyhow::Result;
use ipv6_sg_common::abi::{ABI_VERSION, MAX_PEERS, MAX_SERVICES, PortFlags};
use serde::Serialize;

use super::client::Client;
use super::context::Context;
use super::interfaces::{self, name_of};
use super::output::{self, Format};
use crate::daemon;
use crate::kernel::{Ahead, Inspect, Pins, RuleUse};
use crate::state::Settings;

/// Show what is enforced now, and whether anything is amiss
#[derive(Debug, clap::Args)]
pub(super) struct Status {
    #[command(flatten)]
    format: Format,
}

/// What is enforced, from the kernel, and what the daemon knows of it.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    abi: u32,
    pin_dir: String,
    guarded: Vec<String>,
    quarantined: Vec<String>,
    /// Interfaces that have a port in the maps but do not run both programs.
    unattached: Vec<String>,
    /// Programs of others that packets meet before the guard.
    ahead: Vec<AheadRow>,
    rules: RulesRow,
    /// Packets dropped on interfaces that run the program but have no port.
    stray_packets: u64,
    /// `null` when no daemon answers.
    daemon: Option<daemon::Status>,
}

/// A program whose accepting is not followed by a verdict of ours.
#[derive(Debug, Serialize)]
struct AheadRow {
    interface: String,
    hook: &'static str,
    program: String,
    id: u32,
}

/// The rules of all ports together.
#[derive(Debug, Serialize)]
struct RulesRow {
    /// Changes with every change of what is allowed.
    generation: u32,
    rulesets: usize,
    peers: usize,
    most_peers: u32,
    services: usize,
    most_services: u32,
}

impl Status {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let report = report(&context.settings()?)?;
        if self.format.json { output::json(&mut context.out, &report) } else { Ok(report.print(&mut context.out)?) }
    }
}

fn report(settings: &Settings) -> Result<Report> {
    let inspect = Inspect::open(Pins::new(&settings.pin_dir))?;
    let daemon = Client::connect(&settings.run_dir)?.map(|client| client.get("/v1/status")).transpose()?;
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        abi: ABI_VERSION,
        pin_dir: settings.pin_dir.display().to_string(),
        guarded: Vec::new(),
        quarantined: Vec::new(),
        unattached: Vec::new(),
        ahead: Vec::new(),
        rules: RulesRow::new(inspect.rule_use()?),
        stray_packets: inspect.strays()?.packets,
        daemon,
    };
    let names = interfaces::names();
    for (ifindex, entry) in inspect.ports()? {
        let interface = name_of(&names, ifindex);
        report.ahead.extend(inspect.ahead(ifindex, &interface).into_iter().map(|Ahead { hook, program, id }| {
            AheadRow { interface: interface.clone(), hook: hook.name(), program, id }
        }));
        if Inspect::attached(&interface).is_some_and(|hooks| hooks.len() < 2) {
            report.unattached.push(interface);
        } else if entry.port.flags.has(PortFlags::QUARANTINED) {
            report.quarantined.push(interface);
        } else {
            report.guarded.push(interface);
        }
    }
    Ok(report)
}

impl RulesRow {
    const fn new(RuleUse { generation, rulesets, peers, services }: RuleUse) -> Self {
        Self { generation, rulesets, peers, most_peers: MAX_PEERS, services, most_services: MAX_SERVICES }
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { generation, rulesets, peers, most_peers, services, most_services } = self;
        let sets = if *rulesets == 1 { "ruleset" } else { "rulesets" };
        writeln!(
            out,
            "rules        generation {generation}, {rulesets} {sets}, {peers} of {most_peers} peers, {services} of \
             {most_services} services"
        )
    }
}

impl Report {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "ipv6-sg {}, map ABI {}, pinned in {}", self.version, self.abi, self.pin_dir)?;
        match &self.daemon {
            Some(_) => writeln!(out, "daemon       running")?,
            None => writeln!(out, "daemon       not running; what is enforced stays, new interfaces are not guarded")?,
        }
        list(out, "guarded", &self.guarded)?;
        list(out, "quarantined", &self.quarantined)?;
        if !self.unattached.is_empty() {
            list(out, "NOT ATTACHED", &self.unattached)?;
        }
        self.rules.print(out)?;
        for AheadRow { interface, hook, program, id } in &self.ahead {
            writeln!(
                out,
                "AHEAD        {interface} {hook}: program {program:?} (id {id}) comes before the guard; what it accepts is \
                 not judged"
            )?;
        }
        if let Some(daemon) = &self.daemon {
            list(out, "missing", &daemon.missing)?;
            list(out, "detached", &daemon.detached)?;
            for error in &daemon.errors {
                writeln!(out, "error        {error}")?;
            }
        }
        if self.stray_packets > 0 {
            writeln!(out, "strays       {} packets on interfaces without a port", self.stray_packets)?;
        }
        Ok(())
    }
}

fn list(out: &mut dyn Write, what: &str, names: &[String]) -> io::Result<()> {
    let all = if names.is_empty() { String::new() } else { format!("  {}", names.join(" ")) };
    writeln!(out, "{what:<12} {}{all}", names.len())
}
