//! Settings and image as the enforcer wants them.

use std::collections::BTreeSet;

use super::plan::{Desired, Wanted};
use crate::compile::{Image, PortImage};
use crate::kernel::{PortEntry, XdpMode};
use crate::state::{Settings, Xdp};

/// What should be enforced. No interface in `free` is put into quarantine.
pub(super) fn desired(settings: &Settings, image: &Image, free: BTreeSet<String>) -> Desired {
    let wanted = |port: &PortImage| Wanted {
        entry: PortEntry { port: port.port, sources: port.sources.clone(), routers: port.routers.clone() },
        rules: port.rules.clone(),
    };
    let settings = settings.clone();
    Desired {
        ports: image.ports.iter().map(|(interface, port)| (interface.clone(), wanted(port))).collect(),
        flows: settings.conntrack.entries_per_port,
        quarantine: Box::new(move |interface| settings.quarantines(interface) && !free.contains(interface)),
        incomplete: false,
    }
}

/// The shield that the settings ask for.
pub(super) const fn xdp(settings: &Settings) -> XdpMode {
    match settings.xdp {
        Xdp::Off => XdpMode::Off,
        Xdp::Native => XdpMode::Native,
        Xdp::Generic => XdpMode::Generic,
        Xdp::Auto => XdpMode::Auto,
    }
}
