//! `ipv6-sg detach`: takes enforcement off.

use std::io::Write as _;

use anyhow::{Result, bail};

use super::client::Client;
use super::context::Context;
use super::interfaces;
use crate::daemon;
use crate::kernel::{Guard, KernelError, Pins, TcMethod, check_privileges};
use crate::state::Settings;

/// Take enforcement off an interface, or off all
///
/// With a daemon running, it stays off until the daemon is reloaded (SIGHUP) or restarted or the interface is made anew.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(super) struct Detach {
    /// The interface
    #[arg(group = "which", value_name = "IF")]
    interface: Option<String>,
    /// All interfaces
    #[arg(long, group = "which")]
    all: bool,
}

impl Detach {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        let interface = if self.all { None } else { self.interface };
        let detached = match Client::connect(&settings.run_dir)? {
            Some(client) => client.post::<daemon::Detached>("/v1/detach", &daemon::Detach { interface })?.interfaces,
            None => without_daemon(&settings, interface.as_deref())?,
        };
        for interface in detached {
            writeln!(context.out, "{interface} is not guarded any more")?;
        }
        Ok(())
    }
}

fn without_daemon(settings: &Settings, only: Option<&str>) -> Result<Vec<String>> {
    check_privileges()?;
    let pins = Pins::new(&settings.pin_dir);
    if !pins.of_any_version()? {
        return Err(KernelError::NothingPinned { path: pins.maps() }.into());
    }
    let mut guard = Guard::open(pins, TcMethod::of_this_kernel())?;
    let names = interfaces::names();
    let known = guard.known();
    let mut detached = Vec::new();
    for ifindex in &known {
        let name = names.get(ifindex).cloned();
        if only.is_some() && name.as_deref() != only {
            continue;
        }
        guard.release(*ifindex, name.as_deref())?;
        detached.extend(name);
    }
    match only {
        Some(name) if detached.is_empty() => {
            bail!("interface {name} is not guarded; `ipv6-sg ports` lists those that are")
        }
        Some(_) => {}
        None => {
            // Filters are pinned nowhere: those of a version whose maps are not ours are found by looking.
            for (ifindex, name) in names.iter().filter(|(ifindex, _)| !known.contains(ifindex)) {
                guard.release(*ifindex, Some(name))?;
            }
            guard.remove_other_versions()?;
            guard.remove_pins()?;
        }
    }
    Ok(detached)
}
