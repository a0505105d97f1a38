//! `ipv6-sg daemon`: guards the interfaces of this host.

use std::path::PathBuf;

use anyhow::Result;
use tracing_subscriber::EnvFilter;

/// Guard the VMs' interfaces of this host, in the foreground
///
/// SIGHUP reads settings and state again, SIGTERM ends the daemon. What it enforces stays when it ends, however it ends.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the verb.
pub(super) fn run(_: &Args, config: Option<PathBuf>) -> Result<()> {
    // Under systemd the journal has the time already.
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let filter = EnvFilter::try_from_env("IPV6_SG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let ansi = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    match under_systemd {
        true => log.without_time().with_ansi(false).init(),
        false => log.with_ansi(ansi).init(),
    }
    let settings = super::settings(config.as_ref())?;
    crate::daemon::run(&settings, move || super::settings(config.as_ref()))
}
