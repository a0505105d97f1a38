//! `cargo xtask bench`: what a packet costs and what a port carries.

use anyhow::{Result, bail};

use crate::{
    setup::{self, Need},
    sh, ui,
};

/// Where `--write` puts the figures.
const PAGE: &str = "docs/benchmarks.md";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Put the figures into docs/benchmarks.md too
    #[arg(long)]
    write: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !setup::is_root() {
        bail!("the benchmark loads programs into the kernel and makes network namespaces: run it as root");
    }
    setup::ensure(&[Need::Build, Need::Test])?;
    ui::step("build", "the release and the benchmark");
    // `ipv6-sg` too: the benchmark runs the daemon beside itself.
    let both = ["--package", "ipv6-sg-user", "--package", "ipv6-sg-tests", "--bin", "ipv6-sg", "--bin", "bench"];
    sh::run(sh::cargo().args(["build", "--quiet", "--release"]).args(both))?;
    ui::step("bench", "about two minutes; whatever else the machine does shows");
    let mut bench = sh::cargo();
    bench.args(["run", "--quiet", "--release", "--package", "ipv6-sg-tests", "--bin", "bench"]);
    if args.write {
        bench.args(["--", "--write"]).arg(sh::workspace().join(PAGE));
    }
    sh::run(&mut bench)
}
