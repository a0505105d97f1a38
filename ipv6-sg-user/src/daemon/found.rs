//! Where what CloudStack's agent speaks of was found on this host.

use std::collections::{BTreeMap, BTreeSet};

use ipv6_sg_common::mac::Mac;

use crate::cloudstack::{Owner, Taps, agent};
use crate::sources::Agent;

/// What is where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The agent's NICs, each with its tap and whether that is here.
    nics: BTreeMap<(String, Mac), Option<(String, bool)>>,
    /// The taps of system VMs.
    pub(super) systems: BTreeSet<String>,
    /// The taps of NICs for which calls cannot be told from those for another.
    twins: BTreeMap<String, Owner>,
}

impl Found {
    /// Among these taps.
    pub(super) fn new(agent: &Agent, taps: &Taps) -> Self {
        let nics = agent::places(agent.registry(), taps).into_iter().map(|(vm, nic, interface)| {
            let place = interface.map(|interface| (interface.to_owned(), taps.has(interface)));
            ((vm.name.clone(), nic.mac), place)
        });
        let twins = agent::twins(agent.registry(), taps).into_iter();
        let twins = twins.map(|(tap, owner)| (tap.to_owned(), owner.clone()));
        Self { nics: nics.collect(), systems: agent.system_taps().clone(), twins: twins.collect() }
    }

    /// Tells the log of twins that were none before.
    pub(super) fn note_twins(&self, before: &Self) {
        for (tap, Owner { vm, mac }) in &self.twins {
            if before.twins.get(tap).is_none_or(|owner| owner.vm != *vm) {
                tracing::warn!(
                    "VM {vm} has several NICs with MAC {mac}: calls for {tap} cannot be told from those for another, so it may use \
                     that MAC alone, and nothing may come in; give the VM a NIC with another MAC"
                );
            }
        }
    }
}
