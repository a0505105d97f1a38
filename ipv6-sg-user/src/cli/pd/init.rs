//! `ipv6-sg pd init`: what the database and Kea need before there are prefixes.

use std::fs;
use std::io::Write as _;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use ipnet::Ipv6Net;
use serde::Serialize;

use super::super::context::Context;
use super::super::output::{self, Format};
use crate::pd::kea_config::{self, Fault, Place, Relay, Release};
use crate::pd::{Pool, guard::SetUp};
use crate::state::{Pd, value};

/// Set the pool up in Kea's database; or print what Kea has to be told, or check what it was told
///
/// Installs what keeps any two prefixes from overlapping, whoever writes them, and makes the pool known. Again and again is as good as
/// once; run it again after `kea-admin db-upgrade`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Init {
    /// Print the statements that would be run, and run none: where an administrator has to, who runs them before this verb is run
    #[arg(long, group = "instead", conflicts_with = "json")]
    print: bool,
    /// Print a configuration for Kea's DHCPv6 server
    #[arg(long, group = "instead", conflicts_with = "json", requires_all = ["subnet", "listen"])]
    kea_config: bool,
    /// Check a configuration of Kea's DHCPv6 server; fails when anything in it is wrong
    #[arg(long, group = "instead", value_name = "FILE")]
    check_kea: Option<PathBuf>,
    /// The release of Kea that the configuration is for
    #[arg(long, value_enum, default_value_t, requires = "kea_config")]
    kea: Release,
    /// How the VMs' router reports a VM's MAC
    #[arg(long, value_enum, default_value_t)]
    relay: Relay,
    /// What has the addresses of all VMs' routers, 2001:db8::/32 say: that is Kea's subnet
    #[arg(long, requires = "kea_config", value_name = "PREFIX")]
    subnet: Option<String>,
    /// Where Kea hears the routers, eth0/2001:db8::547 say
    #[arg(long, requires = "kea_config", value_name = "IF/ADDRESS")]
    listen: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// What was done, for programs.
#[derive(Serialize)]
struct Done {
    pool: Ipv6Net,
    new: bool,
    installed: Vec<&'static str>,
}

impl Init {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = super::section(context)?;
        if let Some(path) = &self.check_kea {
            return self.check(context, &settings, path);
        }
        if self.kea_config {
            let place = self.place()?;
            return Ok(write!(context.out, "{}", kea_config::print(&settings, &place)?)?);
        }
        if self.print {
            let statements = super::with_pool(&settings, async |pool: &mut Pool| Ok(pool.statements()))?;
            return Ok(write!(context.out, "{statements}")?);
        }
        let SetUp { installed, new_pool } = super::with_pool(&settings, async |pool| pool.set_up().await)?;
        if self.format.json {
            let installed: Vec<_> = installed.into_iter().map(|(name, _)| name).collect();
            return output::json(&mut context.out, &Done { pool: settings.pool, new: new_pool, installed });
        }
        for (name, purpose) in &installed {
            writeln!(context.out, "installed {name}: {purpose}")?;
        }
        let pool = settings.pool;
        match (new_pool, installed.is_empty()) {
            (true, _) => writeln!(context.out, "pool {pool} is set up")?,
            (false, false) => writeln!(context.out, "pool {pool} was set up before")?,
            (false, true) => writeln!(context.out, "pool {pool} was set up before, and nothing is missing")?,
        }
        Ok(())
    }

    fn place(self) -> Result<Place> {
        let subnet = self.subnet.context("no --subnet")?;
        let subnet = value::any_prefix(&subnet).with_context(|| format!("subnet {subnet:?}"))?;
        let listen = self.listen.context("no --listen")?;
        let (interface, address) =
            listen.split_once('/').with_context(|| format!("listen {listen:?}: write INTERFACE/ADDRESS"))?;
        value::interface(interface).with_context(|| format!("listen {listen:?}"))?;
        address.parse::<Ipv6Addr>().with_context(|| format!("listen {listen:?}"))?;
        Ok(Place { release: self.kea, relay: self.relay, subnet, listen })
    }

    fn check(&self, context: &mut Context, settings: &Pd, path: &PathBuf) -> Result<()> {
        let shown = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let faults = kea_config::check(settings, self.relay, &text).map_err(|problem| anyhow!("{shown}: {problem}"))?;
        let row = |fault: &Fault| [fault.key.to_owned(), fault.problem.clone()];
        super::findings(&mut context.out, self.format, &faults, ["KEY", "PROBLEM"], row, shown)
    }
}
