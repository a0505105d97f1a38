//! Compiled rules as they are printed.

use std::io::{self, Write};

use ipv6_sg_common::abi::RulesetId;
use serde::Serialize;

use crate::cli::access_row::AccessRow;
use crate::cli::output::{self, texts};
use crate::cli::rule_rows::TrafficRow;
use crate::compile::{Access, source_text};

/// How many peers are printed unless all are asked for.
const SHOWN: usize = 20;

/// What the kernel lets through in one direction.
#[derive(Debug, Serialize)]
pub(super) struct EnforcedRow {
    #[serde(flatten)]
    access: AccessRow,
    /// The number of the ruleset in the maps, where one is needed.
    ruleset: Option<u32>,
    /// By address. A peer in several prefixes is allowed what the longest of them says, no more.
    table: Vec<PeerRow>,
}

/// A prefix and what its addresses may.
#[derive(Debug, Serialize)]
struct PeerRow {
    prefix: String,
    allowed: Vec<TrafficRow>,
    #[serde(skip)]
    text: String,
}

impl EnforcedRow {
    pub(super) fn new(access: &Access, id: RulesetId) -> Self {
        let (ruleset, table) = match access {
            Access::Nothing | Access::Everything => (None, Vec::new()),
            Access::Rules(ruleset) => {
                let rows = ruleset.entries().iter().map(|(prefix, allowance)| {
                    let traffic = allowance.traffic();
                    let text = if traffic.is_empty() { "nothing".to_owned() } else { texts(&traffic).join(", ") };
                    PeerRow {
                        prefix: source_text(*prefix),
                        allowed: traffic.into_iter().map(TrafficRow::from).collect(),
                        text,
                    }
                });
                (Some(id.number), rows.collect())
            }
        };
        Self { access: AccessRow::new(access), ruleset, table }
    }

    /// In a word, or how much of it there is.
    pub(super) fn summary(&self) -> String {
        let text = self.access.text();
        self.ruleset.map_or_else(|| text.clone(), |number| format!("{text}, ruleset {number}"))
    }

    pub(super) fn print_table(&self, out: &mut dyn Write, all: bool) -> io::Result<()> {
        let shown = if all { self.table.len() } else { SHOWN };
        let rows = self.table.iter().take(shown).map(|row| [format!("    {}", row.prefix), row.text.clone()]);
        output::table(out, None, rows)?;
        match self.table.len().saturating_sub(shown) {
            0 => Ok(()),
            more => writeln!(out, "    … and {more} more: --all shows them"),
        }
    }
}
