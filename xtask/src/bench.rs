//! `cargo xtask bench`: what the guard costs, beside what others cost.

use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;

use crate::{
    setup::{self, Need},
    sh, ui,
};

/// Where `--write` puts the figures; the chart goes beside it.
const PAGE: &str = "docs/benchmarks.md";

/// What can be measured alone, by the names that the benchmark knows.
const PARTS: [&str; 6] = ["cost", "rate", "program", "cloudstack", "memory", "delegation"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these parts
    #[arg(value_parser = PossibleValuesParser::new(PARTS))]
    parts: Vec<String>,
    /// Put the figures of these parts into docs/benchmarks.md too, and draw its chart anew
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !setup::is_root() {
        bail!("the benchmark loads programs into the kernel and makes network namespaces: run it as root");
    }
    setup::ensure(&[Need::Build, Need::Test, Need::Kea, Need::Bench])?;
    ui::step("build", "the release and the benchmark");
    // `ipv6-sg` too: the benchmark runs the daemon beside itself.
    let both = ["--package", "ipv6-sg-user", "--package", "ipv6-sg-tests", "--bin", "ipv6-sg", "--bin", "bench"];
    sh::run(sh::cargo().args(["build", "--quiet", "--release"]).args(both))?;
    ui::step("bench", "all parts take some ten minutes; whatever else the machine does shows");
    let mut bench = sh::cargo();
    bench.args(["run", "--quiet", "--release", "--package", "ipv6-sg-tests", "--bin", "bench", "--"]);
    bench.args(&args.parts);
    if args.write {
        bench.arg("--write").arg(sh::workspace().join(PAGE));
    }
    sh::run(&mut bench)
}
