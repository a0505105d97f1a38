//! The rules of security groups, as desired state.
//!
//! A rule that names a group stays one: whoever joins or leaves that group is one member more or less, and no rule changes.
//! A rule that cannot be understood allows nothing. Where it is about what leaves it still is a rule: without any, everything
//! might leave.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Oddity;
use super::inventory::{self, Group, Inventory};
use super::names::{NOBODY, Names};
use crate::cloudstack::agent::rules;
use crate::state::{Peer, Rule, Traffic};

/// Groups, as rules name them.
pub(super) struct Groups<'a> {
    by_id: HashMap<&'a str, &'a Group>,
    by_name: HashMap<&'a str, Vec<&'a Group>>,
    names: Names<'a>,
}

/// What rules have been found to name.
#[derive(Debug, Default)]
pub(super) struct Named<'a> {
    /// The ids of groups.
    pub(super) groups: BTreeSet<&'a str>,
    /// Whether there are rules for nobody.
    pub(super) nobody: bool,
}

impl<'a> Groups<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        let words = |group: &'a Group| (group.id.as_str(), format!("{}/{}", group.owner(), group.name));
        let mut by_name: HashMap<&str, Vec<&Group>> = HashMap::new();
        for group in &inventory.groups {
            by_name.entry(&group.name).or_default().push(group);
        }
        let by_id = inventory.groups.iter().map(|group| (group.id.as_str(), group)).collect();
        Self { by_id, by_name, names: Names::new(inventory.groups.iter().map(words)) }
    }

    /// The group with this id, and what it is called.
    pub(super) fn get(&self, id: &str) -> Option<(&'a Group, &str)> {
        Some((self.by_id.get(id)?, self.names.of(id)?))
    }

    /// What the rules of a group allow in one direction.
    pub(super) fn rules(
        &self,
        group: &'a Group,
        side: &'static str,
        named: &mut Named<'a>,
        oddities: &mut Vec<Oddity>,
    ) -> Vec<Rule> {
        let written = if side == "egress" { &group.egress } else { &group.ingress };
        let mut rules: Vec<Rule> = Vec::new();
        let (mut places, mut seen) = (HashMap::new(), HashSet::new());
        for (rule, index) in written.iter().zip(0..) {
            let (traffic, peer) = match self.rule(group, rule, named) {
                Ok(Some(understood)) => understood,
                Ok(None) => continue,
                Err(problem) => {
                    let group = self.names.of(&group.id).unwrap_or_default().to_owned();
                    oddities.push(Oddity::Rule { group, side, index, problem });
                    if side != "egress" {
                        continue;
                    }
                    named.nobody = true;
                    (Traffic::All, Peer::Group(NOBODY.to_owned()))
                }
            };
            if !seen.insert((traffic, peer.clone())) {
                continue;
            }
            // CloudStack has one rule for each peer.
            match places.get(&traffic).and_then(|place: &usize| rules.get_mut(*place)) {
                Some(rule) => rule.peers.push(peer),
                None => {
                    places.insert(traffic, rules.len());
                    rules.push(Rule { traffic, peers: vec![peer] });
                }
            }
        }
        rules
    }

    /// One rule; `None` where it says nothing about IPv6.
    fn rule(
        &self,
        group: &Group,
        rule: &inventory::Rule,
        named: &mut Named<'a>,
    ) -> Result<Option<(Traffic, Peer)>, String> {
        let (peer, id) = match &rule.peer {
            inventory::Peer::Cidr(cidr) => match rules::peer(cidr).map_err(|problem| problem.to_string())? {
                Some(peer) => (peer, None),
                None => return Ok(None),
            },
            inventory::Peer::Group { name, account } => {
                let other = self.named(group, name, account.as_deref())?;
                (Peer::Group(self.names.of(&other.id).unwrap_or(NOBODY).to_owned()), Some(other.id.as_str()))
            }
            inventory::Peer::Nobody => return Err("neither addresses nor a group; that group is no more".to_owned()),
        };
        // A type or a code that is not said is any.
        let unsaid = if rule.protocol.to_ascii_lowercase().starts_with("icmp") { "-1" } else { "" };
        let [first, last] =
            [rule.first, rule.last].map(|number| number.map_or_else(|| unsaid.to_owned(), |number| number.to_string()));
        let traffic = rules::traffic(&rule.protocol, &first, &last).map_err(|problem| problem.to_string())?;
        named.groups.extend(id);
        Ok(Some((traffic, peer)))
    }

    /// The group that a rule of another means. CloudStack lets it be one of the same domain only, and there no two accounts have
    /// the same name.
    fn named(&self, from: &Group, name: &str, account: Option<&str>) -> Result<&'a Group, String> {
        let candidates = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let means = |group: &&&Group| {
            group.domain == from.domain && account.map_or(group.owner() == from.owner(), |account| group.is_of(account))
        };
        let mut found = candidates.iter().filter(means);
        match (found.next(), found.next()) {
            (Some(group), None) => Ok(group),
            (None, _) => Err(format!("no group {name:?} of account {:?} is listed", account.unwrap_or_default())),
            (Some(_), Some(_)) => Err(format!("several groups {name:?} of account {:?}", account.unwrap_or_default())),
        }
    }
}

impl Group {
    /// Whose it is.
    fn owner(&self) -> &str {
        self.account.as_deref().or(self.project.as_deref()).unwrap_or_default()
    }

    /// Whether it belongs to an account that has this name. A project's has one that is made of the project's, and is listed in
    /// rules alone: `PrjAcct-NAME-1`.
    fn is_of(&self, account: &str) -> bool {
        match (&self.account, &self.project) {
            (Some(own), _) => own == account,
            (None, Some(project)) => account
                .strip_prefix("PrjAcct-")
                .and_then(|rest| rest.strip_prefix(project.as_str())?.strip_prefix('-'))
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())),
            (None, None) => false,
        }
    }
}

#[cfg(test)]
mod tests;
