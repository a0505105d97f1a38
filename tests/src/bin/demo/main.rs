//! `cargo xtask demo`: a hypervisor with two VMs and a router, all of it network namespaces; forged frames with and without
//! the guard, and honest traffic past it. Leaves nothing behind.

mod forged;
mod honest;
mod lab;
mod operator;
mod report;
mod stage;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use anyhow::Result;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_tests::frame::Frame;

use forged::Forged;
use lab::wait_for;
use lab::wire::{Observer, Wire};
use operator::{Counts, Operator};
use report::Report;
use stage::{Stage, TAP};

/// Packets take microseconds here; a busy machine takes a while to look.
const ARRIVAL: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    // What `run` made is taken away before this returns, whatever it returns with.
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let _cleanup = lab::Cleanup::on_signals()?;
    let began = Instant::now();
    let mut report = Report::default();
    println!("The stage: a hypervisor, VM 1 behind its tap {TAP}, VM 2 behind vnet12, a router with radvd.");
    let stage = Stage::set()?;
    let from_vm = Attack::new(&stage, Direction::FromVm)?;
    let to_vm = Attack::new(&stage, Direction::ToVm)?;
    let attacks = [(from_vm, forged::by_the_vm()), (to_vm, forged::by_the_link())];

    let mut unguarded = Vec::new();
    for (attack, frames) in &attacks {
        unguarded.push(frames.iter().map(|forged| attack.arrives(forged)).collect::<Result<Vec<_>>>()?);
    }
    let operator = stage.guard()?;
    stage.boot()?;

    report.section("1. An honest guest behind the guard");
    honest::run(&stage, &operator, &mut report);

    let monitor = ["monitor", TAP, "--count", "6"];
    let monitoring = operator.start(&monitor)?;
    for (((attack, frames), unguarded), title) in
        attacks.iter().zip(unguarded).zip(["2. VM 1 turns hostile", "3. The link turns hostile"])
    {
        report.section(title);
        let mut rows = Vec::new();
        for (forged, arrived) in frames.iter().zip(unguarded) {
            let (fate, as_expected) = attack.dies(forged, &operator)?;
            let before = if arrived { "arrives" } else { "is lost" };
            rows.push((forged.what.to_owned(), before.to_owned(), fate, arrived && as_expected));
        }
        report.forged(&rows);
    }

    report.section("4. What the operator sees");
    report.command(&operator, &["ports"]);
    report.started(&monitor, monitoring);
    report.command(&operator, &["counters", TAP]);
    if let Some(hidden) =
        attacks.iter().flat_map(|(_, frames)| frames).find(|forged| forged.what.contains("hop-by-hop"))
        && let Some(frame) = hidden.frames.last()
    {
        report.command(&operator, &["explain", TAP, "--from-vm", "--hex", &hexadecimal(&frame.bytes)]);
    }
    let fine = report.verdict(began.elapsed());
    if std::env::args().any(|word| word == "--hold") {
        println!("\nThe stage stays until Ctrl-C. To look around, and to be in VM 1:\n");
        println!("  {}\n  nsenter --net=/run/netns/{} bash", operator.by_hand("ports"), stage.vm1.name());
        loop {
            std::thread::park();
        }
    }
    Ok(fine)
}

/// Sends forgeries one way, and looks where they could arrive.
struct Attack {
    direction: Direction,
    wire: Wire,
    victims: Vec<Observer>,
}

impl Attack {
    fn new(stage: &Stage, direction: Direction) -> Result<Self> {
        let (attacker, victims) = match direction {
            Direction::FromVm => (&stage.vm1, vec![&stage.vm2, &stage.router]),
            Direction::ToVm => (&stage.router, vec![&stage.vm1]),
        };
        let victims = victims.into_iter().map(|victim| Observer::new(victim, "eth0")).collect::<Result<_>>()?;
        Ok(Self { direction, wire: Wire::open(attacker, "eth0", false)?, victims })
    }

    fn send(&self, forged: &Forged) -> Result<Vec<u8>> {
        self.victims.iter().for_each(Observer::forget);
        for frame in &forged.frames {
            self.wire.send(&frame.bytes)?;
        }
        Ok(forged.frames.last().map(content).unwrap_or_default())
    }

    fn seen(&self, content: &[u8]) -> bool {
        self.victims.iter().any(|victim| victim.saw(content))
    }

    /// Whether it arrives; meant for before the guard is there.
    fn arrives(&self, forged: &Forged) -> Result<bool> {
        let content = self.send(forged)?;
        Ok(wait_for("a frame", ARRIVAL, || Ok(self.seen(&content).then_some(()))).is_ok())
    }

    /// What comes of it at the guard, and whether that is what should.
    fn dies(&self, forged: &Forged, operator: &Operator) -> Result<(String, bool)> {
        let before = operator.counters(self.direction)?;
        let content = self.send(forged)?;
        let count = |counts: &Counts| counts.get(forged.reason.name()).copied().unwrap_or(0);
        let counted = || Ok((count(&operator.counters(self.direction)?) > count(&before)).then_some(()));
        let counted = wait_for("a counter", ARRIVAL, counted).is_ok();
        // A packet is counted when its fate is sealed: one that passed is at its victims by now.
        let arrived = self.seen(&content);
        if counted && !arrived {
            return Ok((format!("dropped, {}", forged.reason), true));
        }
        let after = operator.counters(self.direction)?;
        let changed = after.iter().filter(|(reason, count)| before.get(*reason) != Some(*count));
        let changed: Vec<_> = changed.map(|(reason, _)| reason.as_str()).collect();
        let fate = if arrived { "arrives" } else { "does not arrive" };
        Ok((format!("{fate}; counted: {}; expected: {}", changed.join(" "), forged.reason), false))
    }
}

/// What of a frame a receiving socket shows: all behind the type, without tags.
fn content(frame: &Frame) -> Vec<u8> {
    let mut rest = frame.bytes.as_slice();
    let mut skip = 12;
    loop {
        rest = rest.get(skip..).unwrap_or_default();
        match rest {
            [0x81, 0x00, ..] | [0x88, 0xa8, ..] => skip = 4,
            _ => return rest.get(2..).unwrap_or_default().to_vec(),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
