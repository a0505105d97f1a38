//! The port that frames are judged for.

use anyhow::{Result, bail};
use ipv6_sg_common::abi::Direction;
use nix::net::if_::if_nametoindex;

use crate::cli::context::Context;
use crate::cli::interfaces;
use crate::compile::{PortImage, compile, quarantined};
use crate::kernel::{Inspect, Pins};
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
            Self::StateFiles => "by the state files",
        }
    }
}

/// Which port, which way, and on whose word.
pub(super) fn heading(port: &PortImage, source: Source, direction: Direction) -> String {
    let whose = if port.vm.is_empty() { "no VM yet".to_owned() } else { format!("VM {}", port.vm) };
    let way = match direction {
        Direction::FromVm => "from",
        Direction::ToVm => "to",
    };
    format!("{}, {whose}: frames {way} the VM, judged {}", port.interface, source.text())
}

/// The port with this interface: as the kernel has it, else as the state files and the settings do.
pub(super) fn find(context: &Context, interface: &str) -> Result<(PortImage, Source)> {
    let settings = context.settings()?;
    if let Some(port) = enforced(&settings, interface) {
        return Ok((port, Source::Kernel));
    }
    Ok((wanted(context, &settings, interface)?, Source::StateFiles))
}

/// `None` too when the maps are not to be read: explaining needs no privileges.
fn enforced(settings: &Settings, interface: &str) -> Option<PortImage> {
    let ifindex = if_nametoindex(interface).ok()?;
    let entry = Inspect::open(Pins::new(&settings.pin_dir)).ok()?.ports().ok()?.remove(&ifindex)?;
    let vm = interfaces::vms(settings).remove(interface).unwrap_or_default();
    Some(PortImage {
        vm,
        interface: interface.to_owned(),
        port: entry.port,
        sources: entry.sources,
        routers: entry.routers,
        rules: None,
    })
}

fn wanted(context: &Context, settings: &Settings, interface: &str) -> Result<PortImage> {
    let model = context.model(settings, &[])?;
    if let Some(port) = compile(&model, settings)?.ports.remove(interface) {
        return Ok(port);
    }
    if !settings.quarantines(interface) {
        bail!(
            "no port has the interface {interface:?}; `ipv6-sg check` lists the ports in {}",
            settings.state_dir.display()
        );
    }
    Ok(PortImage {
        vm: String::new(),
        interface: interface.to_owned(),
        port: quarantined(),
        sources: Default::default(),
        routers: Default::default(),
        rules: None,
    })
}
