//! How many flows a port has.

use ipv6_sg_common::abi::FlowState;
use serde::Serialize;

use super::tracked::Tracked;

/// The numbers of a port.
#[derive(Debug, Serialize)]
pub(super) struct CountRow {
    interface: String,
    ifindex: u32,
    /// Whether rules apply; flows are tracked only then.
    has_rules: bool,
    opening: usize,
    established: usize,
    closing: usize,
    total: usize,
    /// How many it has room for.
    most: u32,
}

/// What [`CountRow::cells`] are.
pub(super) const HEADINGS: [&str; 6] = ["INTERFACE", "OPENING", "ESTABLISHED", "CLOSING", "TOTAL", "MOST"];

impl CountRow {
    pub(super) fn new(port: &Tracked) -> Self {
        let flows = || port.flows.iter().flat_map(|flows| flows.live.values());
        let count = |state| flows().filter(|flow| FlowState::from_number(flow.state) == Some(state)).count();
        Self {
            interface: port.interface.clone(),
            ifindex: port.ifindex,
            has_rules: port.flows.is_some(),
            opening: count(FlowState::Opening),
            established: count(FlowState::Established),
            closing: count(FlowState::Closing),
            total: flows().count(),
            most: port.flows.as_ref().map_or(0, |flows| flows.memory.most()),
        }
    }

    pub(super) const fn has_rules(&self) -> bool {
        self.has_rules
    }

    pub(super) fn cells(&self) -> [String; 6] {
        let Self { opening, established, closing, total, .. } = self;
        let [opening, established, closing, total] = [opening, established, closing, total].map(ToString::to_string);
        [self.interface.clone(), opening, established, closing, total, self.most.to_string()]
    }
}
