//! `ipv6-sg pd rebuild`: a VM that was installed anew.

use std::io::Write as _;

use anyhow::Result;

use super::super::context::Context;
use super::super::output::{self, Format};

/// Drop the leases of a VM that was rebuilt, and print them
///
/// A VM that is installed anew asks under a new name (DUID), and the lease of the old one keeps its prefix from it until that is
/// over. What is reserved stays. Leases are dropped in the database; where Kea keeps them elsewhere, its command lease6-del does it.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Rebuild {
    /// The VM's MAC
    #[arg(long)]
    mac: String,
    #[command(flatten)]
    format: Format,
}

impl Rebuild {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = super::section(context)?;
        let mac = super::mac(&self.mac)?;
        let leases = super::with_pool(&settings, async |pool| pool.rebuild(mac).await)?;
        if self.format.json {
            return output::json(&mut context.out, &leases);
        }
        if leases.is_empty() {
            let url = &settings.database.url;
            let elsewhere = "where Kea keeps leases elsewhere (memfile), its command lease6-del drops them";
            return Ok(writeln!(context.out, "no lease of MAC {mac} in {url}; {elsewhere}")?);
        }
        let rows = leases.into_iter().map(|lease| [lease.lease, lease.duid]);
        Ok(output::table(&mut context.out, Some(["LEASE", "DUID"]), rows)?)
    }
}
