//! What the demo prints.

use std::process::Child;
use std::time::Duration;

use anstream::println;
use anyhow::{Result, ensure};
use comfy_table::{ContentArrangement, Row, Table, presets};

use crate::operator::Operator;

/// Prints what happened, and counts what should not have.
#[derive(Debug, Default)]
pub struct Report {
    honest: usize,
    forged: usize,
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
        match exchange() {
            Ok(how) => println!("  ok      {what}: {how}"),
            Err(error) => {
                self.differences += 1;
                println!("  FAILED  {what}: {error:#}");
            }
        }
    }

    /// Prints a table of forgeries: what was sent, what came of it without the guard, what with it, and whether that is
    /// as it should be.
    pub fn forged(&mut self, rows: &[(String, String, String, bool)]) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(Row::from(["SENT", "UNGUARDED", "GUARDED", ""]));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for (what, before, after, as_expected) in rows {
            self.forged += 1;
            self.differences += usize::from(!as_expected);
            table.add_row([what.as_str(), before, after, if *as_expected { "ok" } else { "FAILED" }]);
        }
        for line in table.lines() {
            println!("  {}", line.trim_end());
        }
    }

    /// A command of the operator, with what it prints.
    pub fn command(&mut self, operator: &Operator, words: &[&str]) {
        self.said(words, operator.run(words));
    }

    /// A command of the operator that was started before, with what it has printed by its end.
    pub fn started(&mut self, words: &[&str], command: Child) {
        let printed = || {
            let out = command.wait_with_output()?;
            ensure!(out.status.success(), "it ended, {}", out.status);
            Ok(String::from_utf8(out.stdout)?)
        };
        self.said(words, printed());
    }

    fn said(&mut self, words: &[&str], printed: Result<String>) {
        println!("$ ipv6-sg {}", words.join(" "));
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
        let Self { honest, forged, differences } = self;
        let took = took.as_secs_f64();
        match differences {
            0 => println!(
                "verdict: all {honest} honest exchanges worked, all {forged} forgeries died at the tap, in {took:.1} s"
            ),
            _ => println!("verdict: {differences} of {} things went otherwise than expected", honest + forged),
        }
        *differences == 0
    }
}
