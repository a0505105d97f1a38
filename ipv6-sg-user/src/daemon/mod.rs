//! The daemon: watches interfaces and sources. The [`steward`] knows what they want, and the [`enforcer`] makes the kernel
//! follow.
//!
//! It may die at any moment; what it enforced stays. It refuses to start on bad input and changes nothing then; while
//! it runs, bad input is named once and the last good state stays.

mod api;
mod api_source;
mod asked;
mod calls;
mod desire;
mod doubt;
mod enforcer;
mod found;
mod health;
mod inbox;
mod kea_source;
mod links;
mod metrics;
mod news;
mod plan;
mod reload;
mod socket;
mod status;
mod steward;
mod watch;

use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::channel;

pub use api::{AgentCall, Answer, Detach, Detached, SOCKET};
pub use status::Status;

use crate::kernel::{Guard, Pins, TcMethod, check_privileges};
use crate::state::{Settings, directory};
use api::Threads;
use enforcer::{Enforcer, Order, Request};
use news::News;
use steward::Steward;

/// Runs until SIGTERM or SIGINT. `reload` reads the settings anew.
///
/// # Errors
/// Whatever keeps it from enforcing the state that is there now.
pub fn run(settings: &Settings, reload: impl Fn() -> Result<Settings> + Send + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(settings, reload))
}

async fn serve(settings: &Settings, reload: impl Fn() -> Result<Settings> + Send + 'static) -> Result<()> {
    // Everything that can be refused comes before the first change.
    check_privileges()?;
    // Watching begins before reading, or a change in between would never be seen. The listing is for its message.
    directory::files(&settings.state_dir)?;
    let mut state_changed = watch::directory(&settings.state_dir)?;
    let (mut steward, Order { desired, xdp, .. }) = Steward::open(settings)?;
    let (listener, _socket) = socket::bind(&settings.run_dir)?;
    let metrics = match settings.metrics {
        Some(address) => Some(metrics::bind(address).await?),
        None => None,
    };
    let pins = Pins::new(&settings.pin_dir);
    let (changed, mut links_changed) = channel(1);
    let links = links::watch(changed)?;
    // From here on signals are ours: systemd may send them as soon as it hears that we are ready.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;

    let (open_pins, method) = (pins.clone(), TcMethod::of_this_kernel());
    let enforcer = tokio::task::spawn_blocking(move || -> Result<Enforcer> {
        Ok(Enforcer::start(Guard::open(open_pins, method)?, *desired, xdp))
    });
    let enforcer = enforcer.await.context("the enforcer's first round panicked")??;
    if let Some(lacks) = method.lacks() {
        tracing::info!("{lacks}");
    }
    let (first, rule_use) = (enforcer.status().clone(), enforcer.rule_use());
    let (requests, queue) = mpsc::channel();
    let enforcing = thread::Builder::new().name("enforcer".to_owned()).spawn(move || enforcer.run(&queue))?;
    let (news, heard) = mpsc::channel();
    let health = steward.health();
    steward.ask(&news)?;
    let to_enforcer = requests.clone();
    let stewarding = thread::Builder::new().name("steward".to_owned());
    let stewarding = stewarding.spawn(move || steward.run(&heard, &to_enforcer))?;
    tokio::spawn(api::serve(listener, Threads { enforcer: requests.clone(), steward: news.clone() }));
    if let Some(listener) = metrics {
        tokio::spawn(metrics::serve(listener, metrics::Sources { pins, rule_use, health }));
    }
    // Somebody may have run it by hand: nobody listens then.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(
        guarded = first.guarded.len(),
        quarantined = first.quarantined.len(),
        missing = first.missing.len(),
        "ready"
    );

    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            changed = links_changed.recv() => match changed {
                Some(()) => tell(&news, News::Links)?,
                None => anyhow::bail!("netlink tells nothing any more; what is enforced stays"),
            },
            changed = state_changed.recv() => match changed {
                Some(()) => tell(&news, News::Files)?,
                None => anyhow::bail!("state_dir is watched no more; what is enforced stays"),
            },
            Some(()) = hangup.recv() => {
                let new = reload().map(Box::new).inspect_err(|error| {
                    tracing::error!("settings not reloaded, the old ones stay: {error:#}");
                });
                tell(&news, News::Reload(new.ok()))?;
            }
        }
    }
    tracing::info!("stopping; what is enforced stays");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    links.abort();
    // What was begun is done: whoever waits for it hears of its end.
    tell(&news, News::Stop)?;
    let ended = tokio::task::spawn_blocking(move || {
        let stewarding = stewarding.join();
        let _ = requests.send(Request::Stop);
        enforcing.join().and(stewarding)
    });
    ended.await?.map_err(|_| anyhow::anyhow!("the enforcer or the steward panicked"))
}

/// Tells the steward.
fn tell(steward: &Sender<News>, news: News) -> Result<()> {
    steward.send(news).map_err(|_| anyhow::anyhow!("the enforcer has ended; its message is above"))
}
