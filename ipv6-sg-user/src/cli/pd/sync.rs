//! `ipv6-sg pd sync`: prefixes for all VMs that CloudStack has, and none for those that it has no more.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ipnet::Ipv6Net;
use serde::Serialize;

use super::super::context::Context;
use super::super::output::{self, Format};
use crate::cloudstack::api::{Client, Config};
use crate::pd::sync::{Action, Rule, Step, plan};

/// See to it that all VMs of CloudStack's have prefixes, and that those which were expunged have none
///
/// Asks the management server of [source.cloudstack] for the VMs on networks with security groups and IPv6. Each NIC there gets what it
/// lacks. A VM that is expunged keeps its prefixes for a while: it is marked as missing first. What was given by hand, by `allocate`, is
/// only taken back after CloudStack has once had such a VM. Run it again and again, on one machine or on several.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Sync {
    /// How many prefixes each VM shall have in all
    #[arg(long, default_value_t = 1, value_name = "K")]
    count: u32,
    /// The length of a prefix [default: length of [pd] in the settings]
    #[arg(long)]
    length: Option<u8>,
    /// How long a VM that is missing keeps its prefixes
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: Format,
}

/// A step, as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    action: &'static str,
    vm: String,
    mac: String,
    /// What it got, or lost.
    prefixes: Vec<Ipv6Net>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Sync {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        let section = super::section(context)?;
        let server = settings.source.cloudstack.as_ref();
        let server = server
            .context("the settings have no [source.cloudstack]; name the management server that knows the VMs")?;
        let residents = Client::new(&Config::from(server)).and_then(|client| client.census());
        let residents = residents.context("source.cloudstack: nothing is changed")?;
        let length = self.length.unwrap_or(section.length);
        let rule = Rule { count: usize::try_from(self.count)?, grace: self.grace };

        let (rows, problem) = super::with_pool(&section, async |pool| {
            let (now, recorded) = pool.recorded(length).await?;
            let steps = plan(&residents, &recorded, rule, now);
            if residents.is_empty() && !steps.is_empty() {
                return Ok((
                    Vec::new(),
                    Some("CloudStack lists no VM at all: nothing is taken from anybody".to_owned()),
                ));
            }
            let (mut rows, mut problem) = (Vec::new(), None);
            for step in &steps {
                let done = if self.dry_run { Ok(Vec::new()) } else { pool.step(step, self.count, length).await };
                let mut row = Row::of(step);
                match done {
                    Ok(prefixes) => row.prefixes = prefixes,
                    Err(error) => (row.action, row.why) = ("fail", Some(error.to_string())),
                }
                if matches!(row.action, "fail" | "leave") && problem.is_none() {
                    problem = row.why.as_ref().map(|why| format!("{}, {}: {why}", row.vm, row.mac));
                }
                rows.push(row);
            }
            Ok((rows, problem))
        })?;
        self.print(context, &rows)?;
        match problem {
            Some(problem) => bail!("{problem}"),
            None => Ok(()),
        }
    }

    fn print(&self, context: &mut Context, rows: &[Row]) -> Result<()> {
        if self.format.json {
            return output::json(&mut context.out, &rows);
        }
        if rows.is_empty() {
            return Ok(writeln!(context.out, "nothing to do")?);
        }
        let rows = rows.iter().map(|row| {
            let prefixes = output::texts(&row.prefixes).join(" ");
            let what = row.why.clone().unwrap_or(prefixes);
            [row.action.to_owned(), row.vm.clone(), row.mac.clone(), what]
        });
        Ok(output::table(&mut context.out, Some(["ACTION", "VM", "MAC", "WHAT"]), rows)?)
    }
}

impl Row {
    fn of(Step { vm, mac, action }: &Step) -> Self {
        let (action, why) = match action {
            Action::Allocate => ("allocate", None),
            Action::Miss => ("miss", None),
            Action::Wait(seconds) => {
                let left = humantime::format_duration(Duration::from_secs(*seconds));
                ("wait", Some(format!("{left} left")))
            }
            Action::Find => ("find", None),
            Action::Release => ("release", None),
            Action::Leave(why) => ("leave", Some(why.clone())),
        };
        Self { action, vm: vm.clone(), mac: mac.to_string(), prefixes: Vec::new(), why }
    }
}
