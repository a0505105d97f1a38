//! `ipv6-sg counters`: what crossed each port and what died there.

use anyhow::{Result, bail};
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use serde::Serialize;

use super::context::Context;
use super::interfaces::{self, name_of, verdict};
use super::output::{self, Format};
use crate::kernel::{Inspect, Pins};
use crate::state::Settings;

/// Count packets and bytes per interface, direction and reason
#[derive(Debug, clap::Args)]
pub(super) struct Counters {
    /// Only this interface
    #[arg(value_name = "IF")]
    interface: Option<String>,
    /// Reasons that never occurred too
    #[arg(long)]
    zero: bool,
    #[command(flatten)]
    format: Format,
}

/// One count.
#[derive(Debug, Serialize)]
struct Row {
    interface: String,
    ifindex: u32,
    direction: &'static str,
    verdict: &'static str,
    reason: &'static str,
    packets: u64,
    bytes: u64,
}

impl Counters {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let rows = rows(&self, &context.settings()?)?;
        if self.format.json {
            return output::json(&mut context.out, &rows);
        }
        let headings = ["INTERFACE", "DIRECTION", "VERDICT", "REASON", "PACKETS", "BYTES"];
        let cells = rows.into_iter().map(|row| {
            let [direction, verdict, reason] = [row.direction, row.verdict, row.reason].map(str::to_owned);
            [row.interface, direction, verdict, reason, row.packets.to_string(), row.bytes.to_string()]
        });
        Ok(output::table(&mut context.out, Some(headings), cells)?)
    }
}

fn rows(args: &Counters, settings: &Settings) -> Result<Vec<Row>> {
    let inspect = Inspect::open(Pins::new(&settings.pin_dir))?;
    let names = interfaces::names();
    let mut rows = Vec::new();
    let mut found = false;
    for (ifindex, counters) in inspect.counters()? {
        let interface = name_of(&names, ifindex);
        if args.interface.as_ref().is_some_and(|only| *only != interface) {
            continue;
        }
        found = true;
        for direction in Direction::ALL {
            for reason in Reason::ALL {
                let count = counters.direction(direction).of(reason);
                if count.packets == 0 && !args.zero {
                    continue;
                }
                rows.push(Row {
                    interface: interface.clone(),
                    ifindex,
                    direction: direction.name(),
                    verdict: verdict(reason),
                    reason: reason.name(),
                    packets: count.packets,
                    bytes: count.bytes,
                });
            }
        }
    }
    if let (Some(interface), false) = (&args.interface, found) {
        bail!("interface {interface} is not guarded; `ipv6-sg ports` lists those that are");
    }
    Ok(rows)
}
