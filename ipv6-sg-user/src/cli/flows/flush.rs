//! `ipv6-sg flows flush`: forgets flows, so that their next packets are put to the rules.

use std::io::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::filter::Filter;
use super::tracked::{self, Flows};
use crate::cli::context::Context;
use crate::cli::output::{self, Format};
use crate::kernel::{Inspect, Pins};

/// Forget flows: the rules decide on their next packets as on a new flow's
///
/// Those too that are over and that `flows` does not show. A flow that only the other side's rule allows stays cut until
/// that side speaks. For an interface that is itself called flush write `flows flush flush`.
#[derive(Debug, clap::Args)]
pub(super) struct Flush {
    /// Only this interface's
    #[arg(value_name = "IF")]
    interface: Option<String>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    format: Format,
}

/// What was done to a port.
#[derive(Debug, Serialize)]
struct Row {
    interface: String,
    ifindex: u32,
    forgotten: usize,
}

impl Flush {
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let inspect = Inspect::open(Pins::new(&context.settings()?.pin_dir))?;
        let mut rows = Vec::new();
        tracked::each(&inspect, self.interface.as_deref(), &self.filter, |port| {
            let forget = |flows: Flows| flows.memory.forget(flows.live.keys().chain(&flows.over));
            let forgotten = port.flows.map(forget).transpose()?.unwrap_or(0);
            rows.push(Row { interface: port.interface, ifindex: port.ifindex, forgotten });
            Ok(())
        })?;
        if self.format.json {
            return output::json(&mut context.out, &rows);
        }
        let text = |flows: usize| format!("{flows} flow{} forgotten", if flows == 1 { "" } else { "s" });
        for row in rows.iter().filter(|row| row.forgotten > 0) {
            writeln!(context.out, "{}: {}", row.interface, text(row.forgotten))?;
        }
        if rows.iter().all(|row| row.forgotten == 0) {
            writeln!(context.out, "{}", text(0))?;
        }
        Ok(())
    }
}
