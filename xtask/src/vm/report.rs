//! The table: kernel by suite, and what the verifier had to look at.

use std::{collections::BTreeSet, time::Duration};

use comfy_table::{Table, presets};

use super::outcome::{Outcome, Tally};

/// A kernel's row.
#[derive(Debug)]
pub(super) struct Row {
    /// As `uname -r` says.
    pub(super) release: String,
    pub(super) outcome: Outcome,
    pub(super) took: Duration,
}

/// The table, and below it what was left out where, and why.
pub(super) fn render(rows: &[Row], suites: &[&'static str]) -> String {
    let programs: BTreeSet<_> = rows.iter().flat_map(|row| row.outcome.verified.keys()).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let head = ["KERNEL"].into_iter().map(ToOwned::to_owned);
    let head = head.chain(suites.iter().map(|suite| suite.to_uppercase()));
    let head = head.chain(programs.iter().map(|program| (*program).clone()));
    table.set_header(head.chain(["TOOK".to_owned()]));
    for row in rows {
        let suite = |suite| row.outcome.suites.get(suite).map_or_else(|| "did not run".to_owned(), cell);
        let verified = |program| row.outcome.verified.get(program).map_or_else(|| "-".to_owned(), ToString::to_string);
        let cells = [row.release.clone()].into_iter().chain(suites.iter().map(suite));
        let cells = cells.chain(programs.iter().map(|program| verified(*program)));
        table.add_row(cells.chain([format!("{} s", row.took.as_secs())]));
    }
    let mut text: String = table.lines().map(|line| format!("{}\n", line.trim())).collect();
    if !programs.is_empty() {
        text += "Below a program's name: how many instructions the verifier looked at, of the 1000000 that it would.\n";
    }
    let mut reasons = BTreeSet::new();
    for row in rows {
        let left_out = row.outcome.left_out.iter();
        reasons.extend(left_out.map(|(test, reason)| format!("{}: not {test}: {reason}\n", row.release)));
    }
    text.extend(reasons);
    text
}

fn cell(tally: &Tally) -> String {
    let mut text = format!("{} passed", tally.passed);
    if tally.failed > 0 {
        text += &format!(", {} FAILED", tally.failed);
    }
    if tally.left_out > 0 {
        text += &format!(", {} left out", tally.left_out);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_passed_what_failed_and_what_was_left_out() {
        let mut outcome = Outcome::default();
        outcome.suites.insert("bpf", Tally { passed: 7, failed: 1, left_out: 2 });
        outcome.verified.insert("ipv6_sg_to_vm".to_owned(), 25_000);
        outcome.left_out.push(("links".to_owned(), "TCX".to_owned()));
        let rows = [Row { release: "5.10.0".to_owned(), outcome, took: Duration::from_secs(61) }];
        let text = render(&rows, &["bpf", "net"]);
        for part in ["7 passed, 1 FAILED, 2 left out", "did not run", "25000", "61 s", "5.10.0: not links: TCX"] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }
}
