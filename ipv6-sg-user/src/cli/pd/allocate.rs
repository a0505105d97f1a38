//! `ipv6-sg pd allocate`: prefixes for a VM.

use std::io::Write as _;

use anyhow::Result;

use super::super::context::Context;
use super::super::output::{self, Format};

/// See to it that a VM has prefixes, and print them
///
/// As many as it shall have in all: what it has already counts, and again is as good as once. None is ever taken away. A prefix that
/// nobody ever had comes first, then the one that was released the longest time ago.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Allocate {
    /// The VM's name, recorded beside the prefix
    #[arg(long)]
    vm: String,
    /// The VM's MAC, as its router reports it to the DHCPv6 server
    #[arg(long)]
    mac: String,
    /// How many prefixes of that length it shall have in all; its DHCPv6 client asks for each by an IA_PD of its own
    #[arg(long, default_value_t = 1, value_name = "K")]
    count: u32,
    /// The length of a prefix [default: length of [pd] in the settings]
    #[arg(long)]
    length: Option<u8>,
    #[command(flatten)]
    format: Format,
}

impl Allocate {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = super::section(context)?;
        let (vm, mac) = (super::vm(&self.vm)?, super::mac(&self.mac)?);
        let length = self.length.unwrap_or(settings.length);
        let allocated = super::with_pool(&settings, async |pool| pool.allocate(&vm, mac, self.count, length).await)?;
        if self.format.json {
            return output::json(&mut context.out, &allocated);
        }
        for prefix in &allocated.prefixes {
            writeln!(context.out, "{prefix}")?;
        }
        Ok(())
    }
}
