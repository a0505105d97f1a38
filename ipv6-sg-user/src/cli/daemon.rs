//! `ipv6-sg daemon`: guards the interfaces of this host.

use anyhow::Result;
use tracing_subscriber::EnvFilter;

use super::context::Context;

/// Guard the VMs' interfaces of this host, in the foreground
///
/// SIGHUP reads settings and state again, SIGTERM ends the daemon. What it enforces stays when it ends, however it ends.
#[derive(Debug, clap::Args)]
pub(super) struct Daemon {}

impl Daemon {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        log_to_stderr();
        let (settings, source) = (context.settings()?, context.source.clone());
        crate::daemon::run(&settings, move || source.settings())
    }
}

fn log_to_stderr() {
    // Under systemd the journal has the time already.
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let filter = EnvFilter::try_from_env("IPV6_SG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let ansi = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    match under_systemd {
        true => log.without_time().with_ansi(false).init(),
        false => log.with_ansi(ansi).init(),
    }
}
