//! `ipv6-sg libvirt-hook`, also called as `ipv6-sg-libvirt-hook`: no VM runs before its taps are guarded, or in quarantine.
//!
//! libvirt calls it when the taps exist and QEMU does not run yet, and starts no VM whose hook fails. A tap that nobody has said
//! anything about, and that the settings put into no quarantine, is not waited for. A hook may not call libvirt.

use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::client::Client;
use super::context::Context;
use crate::cloudstack::libvirt::{self, Domain};
use crate::daemon::{SOCKET, Status};
use crate::state::Settings;

/// How long libvirt is kept waiting: attaching takes some tens of milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long until it is looked again.
const PAUSE: Duration = Duration::from_millis(20);

/// More than a description of a VM ever has.
const MOST: u64 = 16 << 20;

/// Wait until the taps of a VM that libvirt starts are guarded
///
/// A link to this program of the name ipv6-sg-libvirt-hook, in /etc/libvirt/hooks/qemu.d, has libvirt call it. It reads the VM's
/// description and fails, so that the VM does not start, where a tap that is wanted or meant for quarantine is not guarded within
/// ten seconds. Options of this program are read from the environment then.
#[derive(Debug, clap::Args)]
pub(super) struct LibvirtHook {
    /// The VM, what happens to it, and libvirt's further words
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
    words: Vec<String>,
}

impl LibvirtHook {
    /// The verb with these words, behind the name of a program that has nothing else to do.
    pub(super) const fn new(words: Vec<String>) -> Self {
        Self { words }
    }

    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let [_, operation, moment, ..] = &self.words[..] else {
            bail!("libvirt's words are wanted: a VM, what happens to it, and when");
        };
        if (operation.as_str(), moment.as_str()) != ("start", "begin") {
            return Ok(());
        }
        let mut text = String::new();
        std::io::stdin().lock().take(MOST).read_to_string(&mut text).context("cannot read the VM's description")?;
        let Domain { name, taps, .. } =
            libvirt::described(&text).map_err(|reason| anyhow::anyhow!("no description of a VM: {reason}"))?;
        let settings = context.settings()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = status(&settings, deadline)?;
            let open = taps.iter().map(|(tap, _)| tap).find(|tap| is_open(tap, &status, &settings));
            let Some(tap) = open else { return Ok(()) };
            if Instant::now() >= deadline {
                let errors = status.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
                bail!("{tap} of VM {name} is not guarded within {PATIENCE:?}{errors}: see `ipv6-sg status`");
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Whether packets pass a tap that should be guarded or in quarantine.
fn is_open(tap: &str, status: &Status, settings: &Settings) -> bool {
    let has = |list: &[String]| list.iter().any(|name| name == tap);
    let is_closed = has(&status.guarded) || has(&status.quarantined);
    // An operator has taken it off, and knows.
    !is_closed && !has(&status.detached) && (has(&status.missing) || settings.quarantines(tap))
}

/// What the daemon knows now.
fn status(settings: &Settings, deadline: Instant) -> Result<Status> {
    let client = Client::connect(&settings.run_dir)?.with_context(|| {
        let socket = settings.run_dir.join(SOCKET);
        format!("no daemon answers on {}: start ipv6-sg, or remove the hook to start VMs without", socket.display())
    })?;
    client.within(deadline.saturating_duration_since(Instant::now()).max(PAUSE)).get("/v1/status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_taps_are_waited_for() {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut status = Status::default();
        (status.guarded, status.quarantined) = (list(&["vnet1"]), list(&["vnet2"]));
        (status.missing, status.detached) = (list(&["vnet3", "tap1"]), list(&["vnet4"]));
        let quarantine = Settings { quarantine: list(&["vnet*"]), ..Settings::default() };
        let open = |tap: &str| (is_open(tap, &status, &Settings::default()), is_open(tap, &status, &quarantine));
        for (tap, wanted) in [
            ("vnet1", (false, false)),
            ("vnet2", (false, false)),
            ("vnet3", (true, true)),
            ("vnet4", (false, false)),
            ("tap1", (true, true)),
            // Nobody has said anything about these.
            ("vnet5", (false, true)),
            ("tap2", (false, false)),
        ] {
            assert_eq!(open(tap), wanted, "{tap}");
        }
    }
}
