//! Rules as they are enforced: what the maps hold, in the terms of the compiler, and how full they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipv6_sg_common::abi::{Port, PortFlags, RulesetId};

use super::Result;
use super::rule_maps::{self, Peers, Services};
use super::rulesets::Peer;
use crate::compile::{Access, PortRules, Ruleset};

/// The rules of a port as the kernel has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnforcedRules {
    /// What they let through.
    pub rules: PortRules,
    /// The number of what may come in.
    pub ingress: RulesetId,
    /// The number of what may go out.
    pub egress: RulesetId,
}

/// How much of the maps of rules is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleUse {
    /// Changes with every change of what is allowed.
    pub generation: u32,
    /// Rulesets with at least one peer.
    pub rulesets: usize,
    /// Peers of all rulesets, of [`MAX_PEERS`](ipv6_sg_common::abi::MAX_PEERS).
    pub peers: usize,
    /// Services of all classes of peers, of [`MAX_SERVICES`](ipv6_sg_common::abi::MAX_SERVICES).
    pub services: usize,
}

/// The rules of these ports, by interface; ports to which none apply are left out.
pub(super) fn rules(
    ports: &BTreeMap<u32, Port>,
    peers: &Peers,
    services: &Services,
) -> Result<BTreeMap<u32, EnforcedRules>> {
    let ruled = || ports.iter().filter(|(_, port)| port.flags.has(PortFlags::HAS_RULES));
    if ruled().next().is_none() {
        return Ok(BTreeMap::new());
    }
    let classes: BTreeMap<_, _> =
        rule_maps::classes(services)?.into_iter().map(|(class, allowance)| (class, Arc::new(allowance))).collect();
    let nothing = Arc::default();
    let used: BTreeSet<_> = ruled().flat_map(|(_, port)| [port.ingress, port.egress]).collect();
    let mut entries: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Peer { ruleset, prefix, class } in rule_maps::peers(peers)? {
        if used.contains(&ruleset) {
            entries.entry(ruleset).or_default().push((prefix, Arc::clone(classes.get(&class).unwrap_or(&nothing))));
        }
    }
    let rulesets: BTreeMap<_, _> =
        entries.into_iter().map(|(id, entries)| (id, Arc::new(Ruleset::new(entries)))).collect();
    let access = |id: RulesetId| match id {
        RulesetId::NOTHING => Access::Nothing,
        RulesetId::EVERYTHING => Access::Everything,
        id => Access::Rules(rulesets.get(&id).cloned().unwrap_or_default()),
    };
    let rules = |port: &Port| EnforcedRules {
        rules: PortRules { ingress: access(port.ingress), egress: access(port.egress) },
        ingress: port.ingress,
        egress: port.egress,
    };
    Ok(ruled().map(|(ifindex, port)| (*ifindex, rules(port))).collect())
}

/// How much of the maps is in use.
pub(super) fn in_use(generation: u32, peers: &Peers, services: &Services) -> Result<RuleUse> {
    let peers = rule_maps::peers(peers)?;
    let rulesets = peers.chunk_by(|one, other| one.ruleset == other.ruleset).count();
    Ok(RuleUse { generation, rulesets, peers: peers.len(), services: rule_maps::services(services)?.len() })
}
