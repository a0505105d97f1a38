//! A frame and what the verdict said to it.

use std::io::{self, Write};

use anstyle::AnsiColor;
use ipv6_sg_common::abi::{Direction, Port};
use ipv6_sg_common::packet::{Bytes, Captured, Summary, macs};
use ipv6_sg_common::verdict::{Action, Reason, Step, judge};
use serde::Serialize;

use super::port::Found;
use super::rules::Decided;
use super::{Input, policy};
use crate::cli::output;
use crate::compile::{HostTables, Rehearsal};

/// A judged frame.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    frame: usize,
    summary: String,
    destination_mac: Option<String>,
    source_mac: Option<String>,
    length: usize,
    /// How many bytes of it were at hand; fewer than its length when the capture was cut.
    captured: usize,
    direction: &'static str,
    steps: Vec<StepRow>,
    verdict: &'static str,
    reason: &'static str,
    text: &'static str,
    policy_section: &'static str,
    #[serde(flatten)]
    decided: Decided,
    #[serde(skip)]
    action: Action,
}

#[derive(Debug, Serialize)]
struct StepRow {
    step: &'static str,
    verdict: &'static str,
    #[serde(skip)]
    text: &'static str,
}

impl Judged {
    /// Judges the frame with this number, counted from 1.
    pub(super) fn new(
        frame: usize,
        direction: Direction,
        port: &Port,
        input: &Input,
        tables: &HostTables,
        found: &Found,
    ) -> Self {
        let captured = Captured::new(Bytes::new(&input.bytes), input.length);
        // Before the verdict, which changes the flow.
        let rehearsal = Rehearsal::of(direction, port, &captured, tables);
        let reason = judge(direction, port, &captured, tables);
        let macs = macs(&captured);
        Self {
            frame,
            summary: Summary(&captured).to_string(),
            destination_mac: macs.map(|(destination, _)| destination.to_string()),
            source_mac: macs.map(|(_, source)| source.to_string()),
            length: input.length,
            captured: input.bytes.len(),
            direction: direction.name(),
            steps: steps(reason),
            verdict: verdict(reason.action()),
            reason: reason.name(),
            text: reason.text(),
            policy_section: policy::section(direction, reason),
            decided: Decided::new(direction, port, reason, &rehearsal, tables, found),
            action: reason.action(),
        }
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.action == Action::Drop
    }

    pub(super) fn print(&self, out: &mut dyn Write, numbered: bool) -> io::Result<()> {
        if numbered {
            write!(out, "frame {}: ", self.frame)?;
        }
        writeln!(out, "{}, {} bytes", self.summary, self.length)?;
        if self.captured < self.length {
            writeln!(
                out,
                "  the capture holds the first {} bytes only: what lies beyond was not judged",
                self.captured
            )?;
        }
        if let (Some(destination), Some(source)) = (&self.destination_mac, &self.source_mac) {
            writeln!(out, "  MAC {source} > {destination}")?;
        }
        let rows = self.steps.iter().map(|row| [format!("  {}", row.verdict), row.text.to_owned()]);
        output::table(out, None, rows)?;
        let (color, word) = match self.action {
            Action::Pass => (AnsiColor::Green, "PASS"),
            Action::Drop => (AnsiColor::Red, "DROP"),
        };
        let style = color.on_default().bold();
        writeln!(out, "{style}{word}{style:#} {}: {}", self.reason, self.text)?;
        self.decided.print(out)?;
        writeln!(out, "  policy: {}", self.policy_section)
    }
}

/// The steps up to the one that decided. Those before it had no objection.
fn steps(reason: Reason) -> Vec<StepRow> {
    let last = reason.step();
    let reached = Step::ALL.into_iter().filter(|step| *step <= last);
    reached
        .map(|step| {
            let action = if step == last { reason.action() } else { Action::Pass };
            StepRow { step: policy::step_name(step), verdict: verdict(action), text: step.text() }
        })
        .collect()
}

const fn verdict(action: Action) -> &'static str {
    match action {
        Action::Pass => "pass",
        Action::Drop => "drop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deciding_step_is_the_last_one_and_the_only_one_that_may_drop() {
        for reason in Reason::ALL {
            let steps = steps(reason);
            let (last, before) = steps.split_last().unwrap();
            assert_eq!((last.text, last.verdict), (reason.step().text(), verdict(reason.action())), "{reason}");
            assert!(before.iter().all(|row| row.verdict == "pass"), "{reason}");
        }
        let names: Vec<_> = steps(Reason::MacSpoofed).iter().map(|row| (row.step, row.verdict)).collect();
        assert_eq!(names, [("quarantine", "pass"), ("layer_2", "drop")]);
    }
}
