//! What the demo prints.

use std::time::Duration;

use anstream::println;
use anyhow::{Result, ensure};
use comfy_table::{ContentArrangement, Table, presets};
use ipv6_sg_tests::lab::{Hypervisor, Process};

use crate::attempt::attempt;

/// Something that should not get through: what became of it without what is shown, and with it.
pub struct Row {
    /// In words.
    pub what: &'static str,
    /// Without.
    pub before: &'static str,
    /// With.
    pub after: String,
    /// Whether both are as they should be.
    pub fine: bool,
}

/// Prints what happened, and counts what should not have.
#[derive(Debug, Default)]
pub struct Report {
    honest: usize,
    forged: usize,
    denied: usize,
    differences: usize,
}

impl Report {
    /// A part of the story.
    pub fn section(&self, title: &str) {
        println!("\n{title}\n");
    }

    /// Runs one honest exchange.
    pub fn honest(&mut self, what: &str, exchange: impl FnOnce() -> Result<String>) {
        self.honest += 1;
        match attempt(exchange) {
            Ok(how) => println!("  ok      {what}: {how}"),
            Err(error) => {
                self.differences += 1;
                println!("  FAILED  {what}: {error:#}");
            }
        }
    }

    /// Prints a table of forgeries, without the guard and with it.
    pub fn forged(&mut self, rows: &[Row]) {
        self.forged += rows.len();
        self.table(["UNGUARDED", "GUARDED"], rows);
    }

    /// Prints a table of packets that no rule allows, without rules and with them.
    pub fn denied(&mut self, rows: &[Row]) {
        self.denied += rows.len();
        println!();
        self.table(["WITHOUT RULES", "WITH RULES"], rows);
        println!();
    }

    fn table(&mut self, [before, after]: [&str; 2], rows: &[Row]) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["SENT", before, after, ""]);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for Row { what, before, after, fine } in rows {
            self.differences += usize::from(!fine);
            table.add_row([*what, *before, after.as_str(), if *fine { "ok" } else { "FAILED" }]);
        }
        for line in table.lines() {
            println!("  {}", line.trim_end());
        }
    }

    /// A command of the operator, with what it prints.
    pub fn command(&mut self, hypervisor: &Hypervisor, words: &str) {
        self.said(words, attempt(|| Ok(hypervisor.ask(words))));
    }

    /// A command of the operator that was started before, with what it has printed by its end.
    pub fn started(&mut self, words: &str, mut command: Process) {
        let printed = attempt(|| {
            let (status, text) = (command.wait(), command.lines().join("\n"));
            ensure!(status.success(), "it ended, {status}: {text}");
            Ok(text + "\n")
        });
        self.said(words, printed);
    }

    fn said(&mut self, words: &str, printed: Result<String>) {
        println!("$ ipv6-sg {words}");
        match printed {
            Ok(text) => println!("{text}"),
            Err(error) => {
                self.differences += 1;
                println!("FAILED: {error:#}\n");
            }
        }
    }

    /// The last line; whether all was as it should be.
    pub fn verdict(&self, took: Duration) -> bool {
        let Self { honest, forged, denied, differences } = self;
        let took = took.as_secs_f64();
        match differences {
            0 => println!(
                "verdict: all {honest} honest exchanges went as they should, all {forged} forgeries and all {denied} packets \
                 that no rule allows died at the tap, in {took:.1} s"
            ),
            _ => println!("verdict: {differences} of {} things went otherwise than expected", honest + forged + denied),
        }
        *differences == 0
    }
}
