//! `cargo xtask bench`: what packets, changes and memory cost, with the guard, without, and with what others use.
//!
//! - the programs alone, run by the kernel on one frame: [`cost`], [`flows`]
//! - the whole path, from the VM's socket to its peer's: [`rate`]
//! - changes of rules: [`program`]; a host full of VMs: [`cloud`]
//! - bytes: [`memory`]
//! - prefixes out of a pool that is nearly full: [`delegation`]
//! - what else could filter, on the same [`stage`] and with the same [`sample`] of rules: [`rivals`]

mod bulk;
mod chart;
mod cloud;
mod cost;
mod datagram;
mod delegation;
mod enforced;
mod flows;
mod kernel;
mod memory;
mod middle;
mod page;
mod part;
mod program;
mod rate;
mod rivals;
mod sample;
mod sender;
mod stage;
mod table;

use std::process::ExitCode;

use anyhow::{Result, bail};

use page::Page;
use part::Part;

/// What measures a part.
type Measure = fn() -> Result<Part>;

/// The parts by name, in the order they run.
const PARTS: [(&str, Measure); 6] = [
    ("cost", cost::measure),
    ("memory", memory::measure),
    ("program", program::measure),
    ("cloudstack", cloud::measure),
    ("delegation", delegation::measure),
    ("rate", rate::measure),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let (mut chosen, mut page) = (Vec::new(), None);
    while let Some(word) = words.next() {
        match (PARTS.iter().find(|(name, _)| *name == word), word.as_str(), &page) {
            (Some((name, _)), ..) => chosen.push(*name),
            (None, "--write", None) if words.len() > 0 => page = words.next().map(Page::new),
            _ => bail!(
                "unknown: {word}; names of parts or --write FILE are wanted: cost, rate, program, cloudstack, memory, delegation"
            ),
        }
    }
    for (_, measure) in PARTS.iter().filter(|(name, _)| chosen.is_empty() || chosen.contains(name)) {
        let part = measure()?;
        // What is missed is said, not made an error: machines differ, and busy ones measure themselves.
        anstream::println!("{}", part.text());
        if let Some(page) = &page {
            page.write(&part)?;
        }
    }
    Ok(())
}
