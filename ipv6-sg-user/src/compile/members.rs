//! The prefixes that `group:NAME` stands for.

use std::collections::{BTreeMap, BTreeSet};

use ipv6_sg_common::address::Address;

use super::image::Image;
use super::prefix::Prefix;
use crate::state::{Model, Peer, SecurityGroup};

/// By group, for every group that a rule names as a peer: what its ports may use beyond the link, and its members
/// elsewhere. Ascending, each once.
pub(super) type Members<'a> = BTreeMap<&'a str, Vec<Prefix>>;

/// The members of the model's groups, given its ports' source sets.
pub(super) fn members<'a>(model: &'a Model, image: &Image) -> Members<'a> {
    let rules = model.groups().values().flat_map(|group| group.ingress.iter().chain(group.egress.iter()));
    let named = rules.flat_map(|rule| &rule.peers).filter_map(|peer| match peer {
        Peer::Group(name) => Some(name),
        Peer::Prefix(_) => None,
    });
    let named: BTreeSet<_> = named.collect();
    let elsewhere = |group: &SecurityGroup| {
        group.members.iter().map(|prefix| (Address::from_ip(prefix.addr()), prefix.prefix_len())).collect()
    };
    let groups = model.groups().values().filter(|group| named.contains(&group.name));
    let mut members: Members<'_> = groups.map(|group| (group.name.as_str(), elsewhere(group))).collect();
    for (port, compiled) in model.ports().values().filter_map(|port| Some((port, image.ports.get(&port.interface)?))) {
        for group in port.security_groups.iter().flatten() {
            if let Some(members) = members.get_mut(group.as_str()) {
                members.extend(compiled.beyond_the_link());
            }
        }
    }
    for members in members.values_mut() {
        members.sort_unstable();
        members.dedup();
    }
    members
}
