//! The command line: one file a verb.

mod client;
mod counters;
mod daemon;
mod detach;
mod interfaces;
mod monitor;
mod output;
mod ports;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::state::Settings;

/// IPv6 security for the VMs of a CloudStack KVM host
#[derive(Debug, Parser)]
#[command(name = "ipv6-sg", version)]
struct Cli {
    /// The daemon's settings
    #[arg(long, global = true, value_name = "FILE", env = "IPV6_SG_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Daemon(daemon::Args),
    Status(status::Args),
    Ports(ports::Args),
    Counters(counters::Args),
    Monitor(monitor::Args),
    Detach(detach::Args),
}

/// Parses the command line and runs the verb.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let settings = || settings(cli.config.as_ref());
    match &cli.verb {
        Verb::Daemon(args) => daemon::run(args, cli.config.clone()),
        Verb::Status(args) => status::run(args, &settings()?),
        Verb::Ports(args) => ports::run(args, &settings()?),
        Verb::Counters(args) => counters::run(args, &settings()?),
        Verb::Monitor(args) => monitor::run(args, &settings()?),
        Verb::Detach(args) => detach::run(args, &settings()?),
    }
}

fn settings(path: Option<&PathBuf>) -> Result<Settings> {
    Ok(match path {
        Some(path) => Settings::load(path)?,
        None => Settings::load_default()?,
    })
}
