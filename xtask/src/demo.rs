//! `cargo xtask demo`: the guard at work, in network namespaces that come and go.

use anyhow::{Result, bail};

use crate::{
    setup::{self, Need},
    sh, ui,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave everything as it is at the end until Ctrl-C, to look around
    #[arg(long)]
    hold: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !setup::is_root() {
        bail!("the demo makes network namespaces and loads programs into the kernel: run it as root");
    }
    setup::ensure(&[Need::Build, Need::Test])?;
    ui::step("build", "the release and the demo");
    // `ipv6-sg` too: the demo runs the one beside itself.
    let both = ["--package", "ipv6-sg-user", "--package", "ipv6-sg-tests", "--bin", "ipv6-sg", "--bin", "demo"];
    sh::run(sh::cargo().args(["build", "--quiet", "--release"]).args(both))?;
    ui::step("demo", "a hypervisor, two VMs and a router");
    // In this process's place: Ctrl-C then reaches what has to clean up, and its exit code is this one's.
    let mut demo = sh::cargo();
    demo.args(["run", "--quiet", "--release", "--package", "ipv6-sg-tests", "--bin", "demo"]);
    if args.hold {
        demo.args(["--", "--hold"]);
    }
    sh::replace_this_process(&mut demo)
}
