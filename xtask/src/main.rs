//! `cargo xtask`: everything a developer types, one file a verb.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod apt;
mod bench;
mod build;
mod demo;
mod dist;
mod kea;
mod lint;
mod packages;
mod python;
mod qemu;
mod services;
mod setup;
mod sh;
mod test;
#[path = "../../ipv6-sg-user/build/toolchain.rs"]
mod toolchain;
mod ui;
mod vm;

/// Works on ipv6-sg. Each verb first installs what it needs and finds missing.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Installs all that building, linting and testing need and this machine lacks
    Setup,
    /// Builds the release, target/release/ipv6-sg
    Build,
    /// Shows the guard at work: two VMs and a router in network namespaces, honest and forged traffic
    Demo(demo::Args),
    /// Measures what packets, changes and memory cost, with the guard, without, and with what others use
    Bench(bench::Args),
    /// Runs the tests: all suites, or those named
    Test(test::Args),
    /// Runs the tests under other kernels, each in a virtual machine of its own
    Vm(vm::Args),
    /// Makes the Debian package, in target/dist
    Dist,
    /// Checks formatting, and lints both sides of the kernel boundary with warnings denied
    Lint,
}

fn main() -> ExitCode {
    let done = match Args::parse().verb {
        Verb::Setup => setup::run(),
        Verb::Build => build::run(),
        Verb::Demo(args) => demo::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Vm(args) => vm::run(&args),
        Verb::Dist => dist::run(),
        Verb::Lint => lint::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            ui::error(&err);
            ExitCode::FAILURE
        }
    }
}
