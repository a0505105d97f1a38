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
    /// Those of them that the rules no longer allow.
    cut: usize,
    total: usize,
    /// How many it has room for.
    most: u32,
}

/// What [`CountRow::cells`] are.
pub(super) const HEADINGS: [&str; 7] = ["INTERFACE", "OPENING", "ESTABLISHED", "CLOSING", "CUT", "TOTAL", "MOST"];

impl CountRow {
    pub(super) fn new(port: &Tracked) -> Self {
        let flows = || port.flows.iter().flat_map(|flows| flows.live.values());
        let count = |state| flows().filter(|flow| flow.state() == state).count();
        Self {
            interface: port.interface.clone(),
            ifindex: port.ifindex,
            has_rules: port.flows.is_some(),
            opening: count(FlowState::Opening),
            established: count(FlowState::Established),
            closing: count(FlowState::Closing),
            cut: flows().filter(|flow| flow.cut != 0).count(),
            total: flows().count(),
            most: port.flows.as_ref().map_or(0, |flows| flows.memory.most()),
        }
    }

    pub(super) const fn has_rules(&self) -> bool {
        self.has_rules
    }

    pub(super) fn cells(&self) -> [String; 7] {
        let Self { opening, established, closing, cut, total, .. } = self;
        let numbers = [opening, established, closing, cut, total];
        let [opening, established, closing, cut, total] = numbers.map(ToString::to_string);
        [self.interface.clone(), opening, established, closing, cut, total, self.most.to_string()]
    }
}
