//! The daemon: watches interfaces and state, and has the [`enforcer`] make the kernel follow.
//!
//! It may die at any moment; what it enforced stays. It refuses to start on bad input and changes nothing then; while
//! it runs, bad input is named once and the last good state stays.

mod api;
mod enforcer;
mod inbox;
mod links;
mod metrics;
mod plan;
mod socket;
mod status;
mod watch;

use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::channel;

pub use api::{Detach, Detached, SOCKET};
pub use status::Status;

use crate::compile::{self, Image};
use crate::kernel::{Guard, Pins, PortEntry, TcMethod, XdpMode, check_privileges};
use crate::state::{Settings, Xdp, directory};
use enforcer::{Enforcer, Request};
use plan::{Desired, Wanted};

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
    let image = load(settings)?;
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

    let (desired, xdp) = (desired(settings, &image), xdp(settings));
    let (open_pins, method) = (pins.clone(), TcMethod::of_this_kernel());
    let enforcer = tokio::task::spawn_blocking(move || -> Result<Enforcer> {
        Ok(Enforcer::start(Guard::open(open_pins, method)?, desired, xdp))
    });
    let enforcer = enforcer.await.context("the enforcer's first round panicked")??;
    if let Some(lacks) = method.lacks() {
        tracing::info!("{lacks}");
    }
    let (first, rule_use) = (enforcer.status().clone(), enforcer.rule_use());
    let (requests, queue) = mpsc::channel();
    let enforcing = thread::Builder::new().name("enforcer".to_owned()).spawn(move || enforcer.run(&queue))?;
    tokio::spawn(api::serve(listener, requests.clone()));
    if let Some(listener) = metrics {
        tokio::spawn(metrics::serve(listener, pins, rule_use));
    }
    // Somebody may have run it by hand: nobody listens then.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(
        guarded = first.guarded.len(),
        quarantined = first.quarantined.len(),
        missing = first.missing.len(),
        "ready"
    );

    let mut settings = settings.clone();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            changed = links_changed.recv() => match changed {
                Some(()) => send(&requests, Request::Links)?,
                None => anyhow::bail!("netlink tells nothing any more; what is enforced stays"),
            },
            changed = state_changed.recv() => match changed {
                Some(()) => follow(&settings, &requests)?,
                None => anyhow::bail!("state_dir is watched no more; what is enforced stays"),
            },
            Some(()) = hangup.recv() => {
                match reload() {
                    Ok(new) => settings = adopt(&settings, new),
                    Err(error) => tracing::error!("settings not reloaded, the old ones stay: {error:#}"),
                }
                send(&requests, Request::Resume)?;
                follow(&settings, &requests)?;
            }
        }
    }
    tracing::info!("stopping; what is enforced stays");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    send(&requests, Request::Stop)?;
    links.abort();
    let ended = tokio::task::spawn_blocking(move || enforcing.join()).await?;
    ended.map_err(|_| anyhow::anyhow!("the enforcer panicked"))
}

fn load(settings: &Settings) -> Result<Image> {
    let model = directory::load(&settings.state_dir)?;
    Ok(compile::compile(&model, settings)?)
}

/// Reads the state again; what is wrong with it is named, and nothing changes.
fn follow(settings: &Settings, requests: &Sender<Request>) -> Result<()> {
    match load(settings) {
        Ok(image) => {
            tracing::info!(ports = image.ports.len(), "state loaded");
            send(requests, Request::Desired(Box::new(desired(settings, &image)), xdp(settings)))
        }
        Err(error) => {
            let error = format!("state not loaded, the last good one stays: {error:#}");
            tracing::error!("{error}");
            send(requests, Request::Unread(error))
        }
    }
}

fn send(requests: &Sender<Request>, request: Request) -> Result<()> {
    requests.send(request).map_err(|_| anyhow::anyhow!("the enforcer has ended; its message is above"))
}

fn desired(settings: &Settings, image: &Image) -> Desired {
    let wanted = |port: &compile::PortImage| Wanted {
        entry: PortEntry { port: port.port, sources: port.sources.clone(), routers: port.routers.clone() },
        rules: port.rules.clone(),
    };
    let settings = settings.clone();
    Desired {
        ports: image.ports.iter().map(|(interface, port)| (interface.clone(), wanted(port))).collect(),
        flows: settings.conntrack.entries_per_port,
        quarantine: Box::new(move |interface| settings.quarantines(interface)),
    }
}

const fn xdp(settings: &Settings) -> XdpMode {
    match settings.xdp {
        Xdp::Off => XdpMode::Off,
        Xdp::Native => XdpMode::Native,
        Xdp::Generic => XdpMode::Generic,
        Xdp::Auto => XdpMode::Auto,
    }
}

/// The settings from now on: directories and sockets stay where they are while the daemon runs.
fn adopt(old: &Settings, new: Settings) -> Settings {
    let fixed: [(&str, bool); 5] = [
        ("state_dir", old.state_dir != new.state_dir),
        ("run_dir", old.run_dir != new.run_dir),
        ("data_dir", old.data_dir != new.data_dir),
        ("pin_dir", old.pin_dir != new.pin_dir),
        ("metrics", old.metrics != new.metrics),
    ];
    for (key, _) in fixed.iter().filter(|(_, differs)| *differs) {
        tracing::warn!("{key} has changed and takes effect when the daemon is restarted");
    }
    Settings {
        state_dir: old.state_dir.clone(),
        run_dir: old.run_dir.clone(),
        data_dir: old.data_dir.clone(),
        pin_dir: old.pin_dir.clone(),
        metrics: old.metrics,
        ..new
    }
}
