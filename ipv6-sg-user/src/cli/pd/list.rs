//! `ipv6-sg pd list`: which VM has which prefix.

use std::io::Write as _;

use anyhow::{Result, bail};

use super::super::context::Context;
use super::super::output::{self, Format};
use crate::state::{Problem, value};

/// List the prefixes of the pool that VMs have
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct List {
    /// Print the routes that the VMs' router needs, as commands of iproute2
    #[arg(long, conflicts_with = "json")]
    routes: bool,
    /// The router's interface on the VMs' link [default: what DEV is where the commands run]
    #[arg(long, requires = "routes", value_name = "IF")]
    dev: Option<String>,
    #[command(flatten)]
    format: Format,
}

impl List {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = super::section(context)?;
        let delegations = super::with_pool(&settings, async |pool| pool.list().await)?;
        if self.format.json {
            return output::json(&mut context.out, &delegations);
        }
        if self.routes {
            let dev = match self.dev.as_deref() {
                None => "\"$DEV\"",
                Some(dev) if is_plain(dev) => dev,
                // The lines are for a shell.
                Some(dev) => bail!("dev {dev:?}: {}", Problem::NotAnInterface),
            };
            for delegation in &delegations {
                let (prefix, via) = (delegation.prefix, delegation.via);
                writeln!(context.out, "ip -6 route replace {prefix} via {via} dev {dev}")?;
            }
            return Ok(());
        }
        let rows = delegations.into_iter().map(|delegation| {
            let vm = delegation.vm.unwrap_or_else(|| "-".to_owned());
            [vm, delegation.mac.to_string(), delegation.prefix.to_string(), delegation.via.to_string()]
        });
        Ok(output::table(&mut context.out, Some(["VM", "MAC", "PREFIX", "VIA"]), rows)?)
    }
}

/// Whether an interface's name is one that no shell reads as anything else.
fn is_plain(dev: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    value::interface(dev).is_ok() && dev.chars().all(is_plain)
}
