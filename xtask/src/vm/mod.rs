//! `cargo xtask vm`: the tests under other kernels, each in a virtual machine of its own.
//!
//! The programs are those of `cargo xtask test`, built once; only the kernel differs. Nothing is installed but packages
//! for qemu, and everything else is below `target/vm`. What a kernel cannot do is in docs/kernels.md.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::{ArgGroup, builder::PossibleValuesParser};

use crate::{
    setup::{self, Need},
    sh, test, ui,
};

mod archive;
mod guest;
mod initramfs;
mod kernel;
mod machine;
mod modules;
mod outcome;
mod programs;
mod report;

pub(crate) use guest::{VARIABLE as GUEST, prepare as guest};
use initramfs::Initramfs;
use kernel::Kernel;
use machine::Machine;
use outcome::Outcome;
use programs::Test;
use report::Row;

/// Test programs that never see a kernel: they are no other in a machine.
const HOST_ONLY: &[&str] = &["corpus_host"];

/// Loaded before the tests; nothing is loaded on demand, for the machine has no modprobe.
const MODULES: &[&str] = &["bridge", "cls_bpf", "sch_ingress", "tun", "veth"];

/// So long may one test program take, and so long the whole machine: it hangs then.
const PROGRAM_LIMIT: Duration = Duration::from_secs(10 * 60);
const MACHINE_LIMIT: Duration = Duration::from_secs(30 * 60);

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("kernels").required(true))]
pub(crate) struct Args {
    /// These kernels, separated by commas
    #[arg(long, group = "kernels", value_name = "VERSION", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(kernel::ALL.iter().map(|kernel| kernel.name)))]
    kernel: Vec<String>,
    /// All kernels
    #[arg(long, group = "kernels")]
    all: bool,
    /// Only these suites
    #[arg(value_parser = PossibleValuesParser::new(test::end_to_end_suites()))]
    suites: Vec<String>,
    /// For the test programs: a filter, or any of their options
    #[arg(last = true)]
    args: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[Need::Build, Need::Test, Need::Machine])?;
    let folder = sh::workspace().join("target/vm");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let _one_at_a_time = lock(&folder.join("lock"))?;

    ui::step("vm", "building the tests");
    let suites = chosen(&args.suites)?;
    let names: Vec<_> = suites.iter().map(|(name, _)| *name).collect();
    let programs = programs::build(&suites)?;
    let plan = plan(&programs.tests, &args.args);
    let initramfs = Initramfs::create(&folder, &programs.tests, &programs.others, &plan)?;

    let mut rows = Vec::new();
    for kernel in kernel::ALL.iter().filter(|kernel| args.all || args.kernel.iter().any(|name| name == kernel.name)) {
        rows.push(boot(kernel, &folder.join(kernel.name), &initramfs, &programs.tests)?);
    }
    anstream::print!("{}", report::render(&rows, &names));
    let bad: Vec<_> = rows.iter().filter(|row| !row.outcome.failures.is_empty()).map(|row| &*row.release).collect();
    if !bad.is_empty() {
        bail!("not all is well on {}; the test programs' words are above and in {}", bad.join(", "), folder.display());
    }
    Ok(())
}

/// Waits until no other `cargo xtask vm` uses the folder; until the file is closed none can.
fn lock(path: &Path) -> Result<File> {
    let lock = || {
        let file = File::create(path)?;
        if file.try_lock().is_err() {
            ui::step("vm", "waiting for another `cargo xtask vm`");
            file.lock()?;
        }
        Ok::<_, std::io::Error>(file)
    };
    lock().with_context(|| format!("cannot lock {}", path.display()))
}

/// The suites that were asked for, with their test programs.
fn chosen(asked: &[String]) -> Result<Vec<(&'static str, Vec<String>)>> {
    let mut suites = test::end_to_end()?;
    suites.retain(|(suite, _)| asked.is_empty() || asked.iter().any(|name| name == suite));
    for (_, programs) in &mut suites {
        programs.retain(|program| !HOST_ONLY.contains(&program.as_str()));
    }
    Ok(suites)
}

/// In the names of tests that never ask the kernel, so that they are no other under another one.
const NO_KERNEL: &str = "host_core_alone";

/// What init.sh reads: in each line seconds, a program, its arguments. Words are separated by blanks and not quoted.
fn plan(tests: &[Test], args: &[String]) -> String {
    let args: Vec<_> =
        ["--show-output", "--skip", NO_KERNEL].into_iter().chain(args.iter().map(String::as_str)).collect();
    let line = |test: &Test| format!("{} {} {}\n", PROGRAM_LIMIT.as_secs(), test.path.display(), args.join(" "));
    tests.iter().map(line).collect()
}

/// Runs all tests under a kernel.
fn boot(kernel: &Kernel, folder: &Path, initramfs: &Initramfs, tests: &[Test]) -> Result<Row> {
    let start = Instant::now();
    let unpacked = kernel.fetch(folder)?;
    initramfs.set_modules(&modules::in_order(&unpacked.modules, MODULES)?)?;
    let console = folder.join("console.log");
    let machine = Machine { image: &unpacked.image, initramfs: &initramfs.path, console: console.clone() };
    let log = folder.join("tests.log");
    let cannot_write = || format!("cannot write {}", log.display());
    let mut words = File::create(&log).with_context(cannot_write)?;

    ui::step("vm", format_args!("Linux {}", unpacked.release));
    let mut outcome = Outcome::default();
    let ended = machine.run(MACHINE_LIMIT, |line| {
        if let Some(test) = outcome.line(line, tests) {
            let elapsed = start.elapsed().as_secs();
            ui::step("vm", format_args!("{}: {elapsed} s: {}, {}", kernel.name, test.suite, test.name));
        }
        writeln!(words, "{line}").with_context(cannot_write)
    });
    if let Err(error) = ended {
        outcome.broken(&format!("{error:#}"));
    } else if !outcome.is_complete(tests) {
        outcome.broken(&format!("it went off before all tests were run; its console: {}", console.display()));
    }
    for failure in &outcome.failures {
        let name = format!("Linux {}: {} failed", unpacked.release, failure.program);
        ui::error(&anyhow::Error::msg(failure.said.join("\n")).context(name));
    }
    Ok(Row { release: unpacked.release, outcome, took: start.elapsed() })
}
