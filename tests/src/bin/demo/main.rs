//! `cargo xtask demo`: a hypervisor with two VMs and a router, all of it network namespaces; forged frames with and
//! without the guard, honest traffic past it, and security groups. Leaves nothing behind.

mod attack;
mod attempt;
mod groups;
mod honest;
mod report;
mod stage;

use std::process::ExitCode;
use std::time::Instant;

use anstream::{eprintln, println};
use anyhow::Result;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_tests::forged;
use ipv6_sg_tests::lab::binary;

use attack::Attack;
use attempt::attempt;
use report::Report;
use stage::{Stage, TAP};

fn main() -> ExitCode {
    attempt::quietly();
    // What `run` made is taken away before this returns, whatever it returns with.
    match attempt(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let began = Instant::now();
    let mut report = Report::default();
    println!("The stage: a hypervisor, VM 1 behind its tap {TAP}, VM 2 behind vnet12, a router with radvd.");
    let mut stage = Stage::set();
    let attacks = [(Direction::FromVm, forged::by_the_vm()), (Direction::ToVm, forged::by_the_link())];
    let attacks = attacks.map(|(direction, frames)| (Attack::new(&stage, direction), frames));

    let unguarded = attacks.each_ref().map(|(attack, frames)| attack.before(frames));
    stage.guard();
    stage.boot();

    report.section("1. An honest guest behind the guard");
    honest::run(&stage, &mut report);

    let monitor = format!("monitor {TAP} --count 6");
    let monitoring = stage.hypervisor.monitor(&format!("{TAP} --count 6"));
    for (((attack, frames), unguarded), title) in
        attacks.iter().zip(&unguarded).zip(["2. VM 1 turns hostile", "3. The link turns hostile"])
    {
        report.section(title);
        report.forged(&attack.after(frames, unguarded, &stage.hypervisor));
    }

    report.section("4. Security groups: VM 1 joins web, VM 2 joins db");
    groups::run(&stage, &mut report);

    report.section("5. What the operator sees");
    let hypervisor = &stage.hypervisor;
    report.command(hypervisor, "ports");
    report.command(hypervisor, &format!("flows {TAP}"));
    report.started(&monitor, monitoring);
    report.command(hypervisor, &format!("counters {TAP}"));
    if let Some(hidden) =
        attacks.iter().flat_map(|(_, frames)| frames).find(|forged| forged.what.contains("hop-by-hop"))
        && let Some(frame) = hidden.frames.last()
    {
        report.command(hypervisor, &format!("explain {TAP} --from-vm --hex {frame:?}"));
    }
    let fine = report.verdict(began.elapsed());
    if std::env::args().any(|word| word == "--hold") {
        let (host, program, config) = (hypervisor.netns.name(), binary(), hypervisor.site.config());
        println!("\nThe stage stays until Ctrl-C. To look around, and to be in VM 1:\n");
        println!("  nsenter --net=/run/netns/{host} {} --config {} ports", program.display(), config.display());
        println!("  nsenter --net=/run/netns/{} bash", stage.vm1.netns.name());
        loop {
            std::thread::park();
        }
    }
    Ok(fine)
}
