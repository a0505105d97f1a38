//! What an operator types on the hypervisor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use ipv6_sg_common::abi::Direction;
use serde_json::Value;

use crate::lab::{self, Namespace};
use crate::stage;

/// Runs `ipv6-sg` with the demo's settings.
pub struct Operator {
    host: Namespace,
    program: PathBuf,
    config: PathBuf,
}

/// Packets for each reason.
pub type Counts = BTreeMap<String, u64>;

impl Operator {
    /// On this host, with these settings.
    pub fn new(host: &Namespace, config: &Path) -> Result<Self> {
        Ok(Self { host: host.clone(), program: stage::program()?, config: config.to_owned() })
    }

    /// One of `ipv6-sg`'s verbs.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.host.command(&self.program);
        command.args(words).arg("--config").arg(&self.config);
        // The settings may not come from where the demo runs.
        command.env_remove("IPV6_SG_CONFIG").env("NO_COLOR", "1");
        command
    }

    /// What it prints.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        lab::run(&mut self.command(words))
    }

    /// Starts a verb whose output is for later.
    pub fn start(&self, words: &[&str]) -> Result<Child> {
        lab::start(self.command(words).stdout(Stdio::piped()))
    }

    /// What to type to run a verb here.
    pub fn by_hand(&self, verb: &str) -> String {
        let (host, program) = (self.host.name(), self.program.display());
        format!("nsenter --net=/run/netns/{host} {program} --config {} {verb}", self.config.display())
    }

    /// How many interfaces a daemon guards that is ready.
    pub fn guarded(&self) -> usize {
        let status = self.run(&["status", "--json"]).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let guarded = |status: &Value| Some(status.get("daemon")?.get("guarded")?.as_array()?.len());
        status.as_ref().and_then(guarded).unwrap_or(0)
    }

    /// The counters of VM 1's port.
    pub fn counters(&self, direction: Direction) -> Result<Counts> {
        let text = self.run(&["counters", stage::TAP, "--json"])?;
        let rows: Vec<Value> = serde_json::from_str(&text).context("`ipv6-sg counters --json` is no list")?;
        let field = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut counts = Counts::new();
        for row in rows.iter().filter(|row| field(row, "direction").as_deref() == Some(direction.name())) {
            let reason = field(row, "reason").context("a counter without a reason")?;
            counts.insert(reason, row.get("packets").and_then(Value::as_u64).unwrap_or(0));
        }
        Ok(counts)
    }
}
