//! What applies to a port, and what is to.

use std::sync::Arc;

use ipv6_sg_common::abi::RulesetId;

use crate::compile::{Access, PortRules, Ruleset};

/// What applies to a port, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Numbers {
    /// To what comes in.
    pub(in crate::kernel) ingress: RulesetId,
    /// To what goes out.
    pub(in crate::kernel) egress: RulesetId,
}

/// A port: what applies to it now, if it is there, and what is to.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernel) struct Change<'a> {
    pub(in crate::kernel) now: Option<Numbers>,
    pub(in crate::kernel) wanted: Option<&'a PortRules>,
}

impl<'a> Change<'a> {
    /// Both directions: the number now, and the rules that are wanted.
    pub(super) fn sides(self) -> [(Option<RulesetId>, Option<&'a Arc<Ruleset>>); 2] {
        #[cfg(test)]
        crate::work::done();
        let rules = |access: &'a Access| match access {
            Access::Rules(ruleset) if !ruleset.entries().is_empty() => Some(ruleset),
            _ => None,
        };
        [
            (self.now.map(|now| now.ingress), self.wanted.and_then(|wanted| rules(&wanted.ingress))),
            (self.now.map(|now| now.egress), self.wanted.and_then(|wanted| rules(&wanted.egress))),
        ]
    }
}
