//! `ipv6-sg explain`: what the verdict says to a frame, and why.
//!
//! Runs the code that the kernel program is compiled from. Where frames come from, what the port is and how the answer
//! is printed are files of their own.

mod capture;
mod hex;
mod judged;
mod policy;
mod port;
mod rules;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use ipv6_sg_common::abi::Direction;
use serde_json::json;

use self::judged::Judged;
use super::context::Context;
use super::output::{self, Format};

/// Run frames through the verdict and print each step, the deciding rule or reason, and the section of the policy
///
/// A guarded port is judged as it is enforced now, with the flows that it remembers: what the next packet would get.
/// Several frames are a sequence, and open flows among themselves; nothing of it reaches the kernel.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("direction").required(true)), group(clap::ArgGroup::new("input").required(true)))]
pub(super) struct Explain {
    /// The port's interface
    #[arg(value_name = "IF")]
    interface: String,

    /// The VM sends the frames
    #[arg(long, group = "direction")]
    from_vm: bool,

    /// The VM is to receive the frames
    #[arg(long, group = "direction")]
    to_vm: bool,

    /// A frame in hexadecimal, from the destination MAC on; spaces, colons and newlines may stand between octets; `-`
    /// reads it from standard input; repeat for several frames, such as fragments
    #[arg(long, group = "input", value_name = "OCTETS")]
    hex: Vec<String>,

    /// A pcap or pcapng file of Ethernet frames; `-` reads standard input
    #[arg(long, group = "input", value_name = "FILE")]
    pcap: Option<PathBuf>,

    #[command(flatten)]
    format: Format,
}

/// A frame to judge.
struct Input {
    /// From the destination MAC on.
    bytes: Vec<u8>,
    /// Length of the whole frame; more than the bytes when the capture was cut.
    length: usize,
    /// When it was captured.
    time: Duration,
}

/// The packet path's time while frames are judged: the first comes now, the others as much later as they were captured.
struct Clock {
    now: Duration,
    /// When the first was captured.
    captured: Option<Duration>,
}

impl Clock {
    fn at(&mut self, captured: Duration) -> Duration {
        let first = *self.captured.get_or_insert(captured);
        self.now.saturating_add(captured.saturating_sub(first))
    }
}

impl Explain {
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let direction = if self.from_vm { Direction::FromVm } else { Direction::ToVm };
        let found = port::find(context, &self.interface)?;
        let (port, tables) = found.tables();
        let mut clock = Clock { now: found.now, captured: None };
        let out = &mut context.out;
        let numbered = self.pcap.is_some() || self.hex.len() > 1;
        let (mut all, mut frames, mut dropped) = (Vec::new(), 0, 0);
        let judge = |input: &Input| -> Result<()> {
            if frames == 0 && !self.format.json {
                writeln!(out, "{}", found.heading(direction))?;
            }
            tables.set_time(clock.at(input.time));
            frames += 1;
            let judged = Judged::new(frames, direction, &port, input, &tables, &found);
            dropped += usize::from(judged.is_dropped());
            if self.format.json {
                all.push(judged);
                return Ok(());
            }
            Ok(judged.print(out, numbered)?)
        };
        match &self.pcap {
            Some(path) => capture::each(path, judge)?,
            None => {
                self.hex.iter().map(|text| hex::read(text)).collect::<Result<Vec<_>>>()?.iter().try_for_each(judge)?
            }
        }
        if self.format.json {
            let image = &found.image;
            let port =
                json!({ "interface": image.interface, "vm": image.vm, "judged_by": found.source, "frames": all });
            return output::json(out, &port);
        }
        if numbered {
            writeln!(out, "{frames} frames: {} passed, {dropped} dropped", frames - dropped)?;
        }
        Ok(())
    }
}
