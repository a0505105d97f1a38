//! The port that frames are judged for.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use ipv6_sg_common::abi::{Direction, Flow, FlowKey, Port};
use nix::net::if_::if_nametoindex;

use crate::cli::context::Context;
use crate::cli::wanted_state::WantedState;
use crate::compile::{HostTables, PortImage, quarantined};
use crate::kernel::{Inspect, Pins, now_ns};
use crate::state::Settings;

/// Where a port was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// It is enforced.
    Kernel,
    /// Nothing is enforced on this interface now.
    StateFiles,
}

impl Source {
    /// For people.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Kernel => "by what is enforced",
            Self::StateFiles => "by the state",
        }
    }
}

/// A port, what it remembers, and on whose word.
pub(super) struct Found {
    pub(super) image: PortImage,
    pub(super) source: Source,
    /// The generation of the rules.
    pub(super) generation: u32,
    flows: BTreeMap<FlowKey, Flow>,
    /// The packet path's time.
    pub(super) now: Duration,
    /// What names rules.
    pub(super) state: WantedState,
}

impl Found {
    /// The port and its tables, to judge by.
    pub(super) fn tables(&self) -> (Port, HostTables) {
        let (port, tables) = HostTables::of(&self.image);
        tables.take_over(self.generation, self.flows.iter().map(|(key, flow)| (*key, *flow)));
        (port, tables)
    }

    /// Which port, which way, and on whose word.
    pub(super) fn heading(&self, direction: Direction) -> String {
        let Self { image: port, source, .. } = self;
        let whose = if port.vm.is_empty() { "no VM yet".to_owned() } else { format!("VM {}", port.vm) };
        let way = match direction {
            Direction::FromVm => "from",
            Direction::ToVm => "to",
        };
        format!("{}, {whose}: frames {way} the VM, judged {}", port.interface, source.text())
    }
}

/// The port with this interface: as the kernel has it, else as the state and the settings do.
pub(super) fn find(context: &Context, interface: &str) -> Result<Found> {
    let settings = context.settings()?;
    match enforced(&settings, interface) {
        Some(found) => Ok(found),
        None => wanted(&settings, interface),
    }
}

/// `None` too when the maps are not to be read: explaining needs no privileges.
fn enforced(settings: &Settings, interface: &str) -> Option<Found> {
    let ifindex = if_nametoindex(interface).ok()?;
    let inspect = Inspect::open(Pins::new(&settings.pin_dir)).ok()?;
    let entry = inspect.ports().ok()?.remove(&ifindex)?;
    let rules = inspect.rules().ok()?.remove(&ifindex).map(|enforced| enforced.rules);
    let mut memories = inspect.flows(|port| port == ifindex).ok()?;
    let flows = match memories.next().transpose().ok()? {
        Some((_, Some(memory))) => memory.read().ok()?,
        _ => BTreeMap::new(),
    };
    let state = WantedState::read(settings);
    let vm = state.port(interface).map(|wanted| wanted.port.vm.clone()).unwrap_or_default();
    Some(Found {
        image: PortImage {
            vm,
            interface: interface.to_owned(),
            port: entry.port,
            sources: entry.sources,
            routers: entry.routers,
            rules,
        },
        source: Source::Kernel,
        generation: inspect.generation().ok()?,
        flows,
        now: Duration::from_nanos(now_ns().ok()?),
        state,
    })
}

fn wanted(settings: &Settings, interface: &str) -> Result<Found> {
    let state = WantedState::sound(settings)?;
    let image = match state.port(interface) {
        Some(wanted) => wanted.compiled.clone(),
        None if settings.quarantines(interface) => PortImage {
            vm: String::new(),
            interface: interface.to_owned(),
            port: quarantined(),
            sources: Default::default(),
            routers: Default::default(),
            rules: None,
        },
        None => bail!(
            "no port has the interface {interface:?}; `ipv6-sg check` lists the ports in {}",
            settings.state_dir.display()
        ),
    };
    Ok(Found { image, source: Source::StateFiles, generation: 0, flows: BTreeMap::new(), now: Duration::ZERO, state })
}
