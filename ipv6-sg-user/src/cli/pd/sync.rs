//! `ipv6-sg pd sync`: prefixes for all VMs that CloudStack has, and none for those that it has no more.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ipnet::Ipv6Net;
use serde::Serialize;

use super::super::context::Context;
use super::super::output::{self, Format};
use crate::cloudstack::api::{Client, Config, Inhabitant};
use crate::pd::PdError;
use crate::pd::sync::{Action, Resident, Rule, Step, plan};

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
    /// Only the VMs in this zone, by its name or id: each zone has a pool of its own
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// What this cloud is called in the database: only its own VMs lose prefixes [default: the host in the management server's URL]
    #[arg(long, value_name = "NAME")]
    cloud: Option<String>,
    /// How many VMs may lose their prefixes in one run: where it would be more, none does [default: a tenth of this cloud's, 10 at least]
    #[arg(long, value_name = "N")]
    at_most: Option<usize>,
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
        let length = self.length.unwrap_or(section.length);
        let cloud = self.cloud.clone().unwrap_or_else(|| host_of(&server.url).to_owned());
        let rule = Rule { cloud: &cloud, count: usize::try_from(self.count)?, grace: self.grace };
        // First who has prefixes: who comes afterwards is not missing.
        let (now, recorded) = super::with_pool(&section, async |pool| pool.recorded(length).await)?;
        let residents = Client::new(&Config::from(server)).and_then(|client| client.census(self.zone.as_deref()));
        let residents = residents.context("source.cloudstack: nothing is changed")?;
        let residents: Vec<_> = residents.into_iter().map(resident).collect();
        let steps = plan(&residents, &recorded, rule, now);
        if residents.is_empty() && !steps.is_empty() {
            bail!("CloudStack lists no VM at all: nothing is taken from anybody");
        }
        let followed = recorded.iter().filter(|recorded| recorded.followed.as_ref() == Some(&cloud)).count();
        let losers = steps.iter().filter(|step| step.action == Action::Release).count();
        if losers > self.at_most.unwrap_or(10.max(followed / 10)) && !self.dry_run {
            bail!(
                "{losers} of {followed} VMs would lose their prefixes at once: nothing is changed; look at --dry-run, and say \
                 --at-most {losers} if that is right"
            );
        }

        let (rows, problem) = super::with_pool(&section, async |pool| {
            let (mut rows, mut problem) = (Vec::new(), None);
            // For each further one the whole pool would be searched again.
            let mut exhausted: Option<String> = None;
            for step in &steps {
                let mut row = Row::of(step);
                let done = match &exhausted {
                    _ if self.dry_run => Ok(Vec::new()),
                    Some(why) if step.action == Action::Allocate => Err(why.clone()),
                    _ => pool.step(step, &cloud, self.count, length).await.map_err(|error| {
                        let why = error.to_string();
                        if matches!(error, PdError::Exhausted { .. }) {
                            exhausted = Some(why.clone());
                        }
                        why
                    }),
                };
                match done {
                    Ok(prefixes) => row.prefixes = prefixes,
                    Err(why) => (row.action, row.why) = ("fail", Some(why)),
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

fn resident(Inhabitant { vm, mac, destroyed }: Inhabitant) -> Resident {
    Resident { vm, mac, destroyed }
}

/// The host, and the port where one is written, of a URL.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

impl Row {
    fn of(Step { vm, mac, action, .. }: &Step) -> Self {
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
