//! What several verbs ask of interfaces and counters.

use std::collections::BTreeMap;

use ipv6_sg_common::abi::Count;
use ipv6_sg_common::verdict::{Action, PerReason, Reason};
use nix::net::if_::if_nameindex;

use crate::sources;
use crate::state::Settings;

/// Interface names by index. Empty when they cannot be listed: indices are shown then.
pub(super) fn names() -> BTreeMap<u32, String> {
    let Ok(interfaces) = if_nameindex() else { return BTreeMap::new() };
    interfaces.iter().map(|link| (link.index(), link.name().to_string_lossy().into_owned())).collect()
}

/// The name of an interface, or its index when it is gone.
pub(super) fn name_of(names: &BTreeMap<u32, String>, ifindex: u32) -> String {
    names.get(&ifindex).cloned().unwrap_or_else(|| format!("(index {ifindex}, gone)"))
}

/// Packets dropped for whatever reason.
pub(super) fn dropped(counts: &PerReason<Count>) -> u64 {
    Reason::ALL
        .into_iter()
        .filter(|reason| reason.action() == Action::Drop)
        .map(|reason| counts.of(reason).packets)
        .sum()
}

/// The word for an action, as every verb prints it.
pub(super) const fn verdict(reason: Reason) -> &'static str {
    match reason.action() {
        Action::Pass => "pass",
        Action::Drop => "drop",
    }
}

/// VM names by interface. Names are for people only: a state that cannot be read leaves the column empty.
pub(super) fn vms(settings: &Settings) -> BTreeMap<String, String> {
    let Ok(model) = sources::look(settings) else { return BTreeMap::new() };
    model.ports().values().map(|port| (port.interface.clone(), port.vm.clone())).collect()
}
