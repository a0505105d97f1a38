//! `ipv6-sg pd check`: is what is recorded sound?

use anyhow::Result;

use super::super::context::Context;
use super::super::output::Format;
use crate::pd::check::Finding;

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
        let row = |finding: &Finding| [finding.problem.to_owned(), finding.what.clone()];
        let place = &settings.database.url;
        super::findings(&mut context.out, self.format, &findings, ["PROBLEM", "WHAT"], row, place)
    }
}
