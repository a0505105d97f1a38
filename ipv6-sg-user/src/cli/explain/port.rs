//! The port that frames are judged for.

use anyhow::{Result, bail};
use ipv6_sg_common::abi::Direction;

use crate::cli::context::Context;
use crate::compile::{PortImage, compile, quarantined};

/// Which port, which way, and on whose word.
pub(super) fn heading(port: &PortImage, direction: Direction) -> String {
    let whose = if port.vm.is_empty() { "no VM yet".to_owned() } else { format!("VM {}", port.vm) };
    let way = match direction {
        Direction::FromVm => "from",
        Direction::ToVm => "to",
    };
    format!("{}, {whose}: frames {way} the VM, judged by the state files", port.interface)
}

/// The port with this interface, as the state files and the settings have it.
pub(super) fn find(context: &Context, interface: &str) -> Result<PortImage> {
    let settings = context.settings()?;
    let model = context.model(&settings, &[])?;
    if let Some(port) = compile(&model, &settings)?.ports.remove(interface) {
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
        has_security_groups: false,
    })
}
