//! What a person types. One file a verb; a verb prints what the rooms behind it know and decides nothing itself.
//!
//! Exit codes: 0 done, 1 refused or failed with one line on stderr, 2 usage. A reader that goes away ends the command
//! quietly.

mod access_row;
mod check;
mod client;
mod cloudstack;
mod completions;
mod config;
mod context;
mod counters;
mod daemon;
mod detach;
mod eui64;
mod explain;
mod flows;
mod interfaces;
mod libvirt_hook;
mod man;
mod monitor;
mod output;
mod pd;
mod ports;
mod rule_rows;
mod rules;
mod status;
mod wanted_state;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use context::Context;

/// IPv6 security for the VMs of a KVM host: what a VM may send and receive, enforced at its tap.
#[derive(Debug, Parser)]
#[command(name = "ipv6-sg", version, max_term_width = 100, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    /// Settings file [default: $IPV6_SG_CONFIG, else /etc/ipv6-sg/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str =
    "Exit codes: 0 done, 1 refused or failed, 2 usage. NO_COLOR is honoured. `ipv6-sg man` prints the whole manual.";

/// Lists the verbs in the order of the help: module, then the type with its arguments, which has a `run`.
macro_rules! verbs {
    ($($module:ident::$verb:ident,)+) => {
        #[derive(Debug, Subcommand)]
        enum Verb {
            $($verb($module::$verb),)+
        }

        impl Verb {
            fn run(self, context: &mut Context) -> Result<()> {
                match self {
                    $(Self::$verb(verb) => verb.run(context),)+
                }
            }
        }
    };
}

verbs! {
    daemon::Daemon,
    check::Check,
    status::Status,
    ports::Ports,
    rules::Rules,
    flows::Flows,
    counters::Counters,
    monitor::Monitor,
    explain::Explain,
    detach::Detach,
    eui64::Eui64,
    pd::Pd,
    cloudstack::Cloudstack,
    libvirt_hook::LibvirtHook,
    config::Config,
    completions::Completions,
    man::Man,
}

/// The names by which others call this program: CloudStack's agent its script, and libvirt a hook.
const AGENT_SCRIPT: &str = "security_group.py";
const LIBVIRT_HOOK: &str = "ipv6-sg-libvirt-hook";

/// Parses the arguments of the process and runs the verb they name.
pub fn main() -> ExitCode {
    let (config, verb) = match called_by_name() {
        Some(verb) => (None, verb),
        None => match Cli::try_parse() {
            Ok(cli) => (cli.config, cli.verb),
            Err(error) => {
                // Help and version go to stdout and are no error. A closed pipe is nobody's.
                let _ = error.print();
                return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
            }
        },
    };
    let mut context = Context::new(config);
    let result = verb.run(&mut context).and_then(|()| Ok(context.out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if context.out.reader_is_gone() => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(anstream::stderr(), "{}", error_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// The verb, where this program is called by a name that says it.
fn called_by_name() -> Option<Verb> {
    let mut words = std::env::args_os();
    let program = PathBuf::from(words.next()?);
    // What is no text is nothing that is known, and is refused as that.
    let arguments = words.map(|word| word.to_string_lossy().into_owned()).collect();
    match program.file_name()?.to_str()? {
        AGENT_SCRIPT => Some(Verb::Cloudstack(cloudstack::Cloudstack::agent(arguments))),
        LIBVIRT_HOOK => Some(Verb::LibvirtHook(libvirt_hook::LibvirtHook::new(arguments))),
        _ => None,
    }
}

/// The error and its causes in one line, whatever is in them.
fn error_line(error: &anyhow::Error) -> String {
    let bold = anstyle::AnsiColor::Red.on_default().bold();
    let text: String = format!("{error:#}").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{bold}error{bold:#}: {text}")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_parser_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn errors_are_one_line() {
        let error = anyhow::anyhow!("at the\nbottom").context("above");
        assert_eq!(anstream::adapter::strip_str(&error_line(&error)).to_string(), "error: above: at the bottom");
    }
}
