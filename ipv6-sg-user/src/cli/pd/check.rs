//! `ipv6-sg pd check`: is what is recorded sound?

use std::io::Write as _;

use anyhow::{Result, bail};

use super::super::context::Context;
use super::super::output::{self, Format};

/// Look for what is wrong with the prefixes that are recorded; fails when there is anything
///
/// Prefixes that overlap, are malformed, or lie outside the pool or in reserved parts of it; hosts without a prefix; MACs in two
/// subnets; leases that contradict reservations; and whatever `ipv6-sg pd init` installs and is missing.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    format: Format,
}

impl Check {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = super::section(context)?;
        let findings = super::with_pool(&settings, async |pool| pool.check().await)?;
        if self.format.json {
            output::json(&mut context.out, &findings)?;
        } else if findings.is_empty() {
            writeln!(context.out, "sound")?;
        } else {
            let rows = findings.iter().map(|finding| [finding.problem.to_owned(), finding.what.clone()]);
            output::table(&mut context.out, Some(["PROBLEM", "WHAT"]), rows)?;
        }
        match findings.len() {
            0 => Ok(()),
            1 => bail!("1 problem in {}", settings.database.url),
            count => bail!("{count} problems in {}", settings.database.url),
        }
    }
}
