//! What compiled rules let through in one direction, in short.

use serde::Serialize;

use crate::compile::Access;

/// How much of it there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct AccessRow {
    /// `nothing`, `everything`, or `rules`.
    access: &'static str,
    /// How many prefixes the rules know; none but with `rules`.
    peers: usize,
}

impl AccessRow {
    pub(super) fn new(access: &Access) -> Self {
        let (access, peers) = match access {
            Access::Nothing => ("nothing", 0),
            Access::Everything => ("everything", 0),
            Access::Rules(ruleset) => ("rules", ruleset.entries().len()),
        };
        Self { access, peers }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        match (self.access, self.peers) {
            ("rules", 1) => "1 peer".to_owned(),
            ("rules", peers) => format!("{peers} peers"),
            (all_or_nothing, _) => all_or_nothing.to_owned(),
        }
    }
}
