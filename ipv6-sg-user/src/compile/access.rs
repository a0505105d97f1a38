//! What the security groups of a port let through. Equal rulesets are one, and no set of groups is compiled twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::allowances::AllowanceId;
use super::image::Image;
use super::members::{Members, members};
use super::memory::Memory;
use super::prefix::Prefix;
use super::ruleset::{self, Ruleset};
use super::{MAX_PEERS, TooMany, at_most};
use crate::state::{Model, Peer, Rule, SecurityGroup};

/// What a port's groups let through in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: no group has a rule for what comes in.
    Nothing,
    /// Everything: no group has a rule for what goes out.
    Everything,
    /// What these rules allow: nothing, without entries, when the peers of all rules are groups without members.
    Rules(Arc<Ruleset>),
}

/// What a port's groups let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortRules {
    /// To the VM.
    pub ingress: Access,
    /// From the VM.
    pub egress: Access,
}

/// Gives the ports of the image the rules of their groups.
///
/// # Errors
/// Together they have more peers or services than the maps hold.
pub(super) fn give_rules(image: &mut Image, model: &Model, memory: &mut Memory) -> Result<(), TooMany> {
    memory.begin();
    let mut compiler = Compiler {
        groups: model.groups(),
        members: members(model, image),
        memory,
        rulesets: HashMap::new(),
        shared: HashSet::new(),
        peers: 0,
        by_groups: HashMap::new(),
    };
    for port in image.ports.values_mut() {
        let groups = model.ports().get(&port.interface).and_then(|port| port.security_groups.as_ref());
        port.rules = groups.map(|groups| compiler.port_rules(groups)).transpose()?;
    }
    memory.end();
    Ok(())
}

struct Compiler<'a> {
    groups: &'a BTreeMap<String, SecurityGroup>,
    members: Members<'a>,
    memory: &'a mut Memory,
    rulesets: HashMap<Vec<(Prefix, AllowanceId)>, Arc<Ruleset>>,
    /// Those of this compilation and those that are remembered, each content once.
    shared: HashSet<Arc<Ruleset>>,
    /// Entries of all of these.
    peers: usize,
    by_groups: HashMap<BTreeSet<&'a str>, PortRules>,
}

impl<'a> Compiler<'a> {
    fn port_rules(&mut self, groups: &'a [String]) -> Result<PortRules, TooMany> {
        let names: BTreeSet<&str> = groups.iter().map(String::as_str).collect();
        if let Some(rules) = self.by_groups.get(&names) {
            return Ok(rules.clone());
        }
        // No name is lost here: each one's group was found when the model was assembled.
        let groups: Vec<_> = names.iter().filter_map(|name| self.groups.get(*name)).collect();
        let rules = match self.memory.recall(&groups) {
            Some((rules, claims)) => {
                claims.into_iter().try_for_each(|id| self.memory.allowances.claim(id))?;
                PortRules { ingress: self.share(rules.ingress)?, egress: self.share(rules.egress)? }
            }
            None => {
                let mut claims = Vec::new();
                let ingress = groups.iter().flat_map(|group| group.ingress.iter());
                let egress = groups.iter().flat_map(|group| group.egress.iter());
                let rules = PortRules {
                    ingress: self.access(ingress, Access::Nothing, &mut claims)?,
                    egress: self.access(egress, Access::Everything, &mut claims)?,
                };
                claims.sort_unstable();
                claims.dedup();
                self.memory.keep(&groups, &rules, claims);
                rules
            }
        };
        self.by_groups.insert(names, rules.clone());
        Ok(rules)
    }

    /// The same, in one place for all that have it.
    fn share(&mut self, access: Access) -> Result<Access, TooMany> {
        let Access::Rules(ruleset) = access else { return Ok(access) };
        if let Some(same) = self.shared.get(&ruleset) {
            return Ok(Access::Rules(Arc::clone(same)));
        }
        self.peers += ruleset.entries().len();
        at_most("peers or more, counted for each distinct set of rules", self.peers, MAX_PEERS)?;
        self.shared.insert(Arc::clone(&ruleset));
        Ok(Access::Rules(ruleset))
    }

    /// What rules let through; and which allowances are used for it.
    fn access(
        &mut self,
        rules: impl Iterator<Item = &'a Rule>,
        without: Access,
        claims: &mut Vec<AllowanceId>,
    ) -> Result<Access, TooMany> {
        let mut rules = rules.peekable();
        if rules.peek().is_none() {
            return Ok(without);
        }
        let said = self.said(rules);
        let entries = ruleset::entries(said, &mut self.memory.allowances)?;
        claims.extend(entries.iter().map(|(_, id)| *id));
        let ruleset = self.ruleset(entries);
        self.share(Access::Rules(ruleset))
    }

    /// What the rules say of each prefix. Rules for one group are put together first: its members may be many.
    fn said(&mut self, rules: impl Iterator<Item = &'a Rule>) -> Vec<(Prefix, AllowanceId)> {
        let mut of_prefixes = Vec::new();
        let mut of_groups: BTreeMap<&str, Vec<AllowanceId>> = BTreeMap::new();
        for rule in rules {
            let allowed = self.memory.allowances.intern(rule.traffic.into());
            for peer in &rule.peers {
                match peer {
                    Peer::Prefix(prefix) => of_prefixes.push(((prefix.addr().into(), prefix.prefix_len()), allowed)),
                    Peer::Group(name) => of_groups.entry(name).or_default().push(allowed),
                }
            }
        }
        for (name, allowed) in of_groups {
            let members = self.members.get(name).map_or(&[][..], Vec::as_slice);
            if !members.is_empty() {
                let allowed = self.memory.allowances.union(allowed);
                of_prefixes.extend(members.iter().map(|member| (*member, allowed)));
            }
        }
        of_prefixes
    }

    fn ruleset(&mut self, entries: Vec<(Prefix, AllowanceId)>) -> Arc<Ruleset> {
        if let Some(ruleset) = self.rulesets.get(&entries) {
            return Arc::clone(ruleset);
        }
        let allowed =
            |(prefix, id): &(Prefix, AllowanceId)| Some((*prefix, Arc::clone(self.memory.allowances.get(*id)?)));
        let ruleset = Arc::new(Ruleset::new(entries.iter().filter_map(allowed)));
        self.rulesets.insert(entries, Arc::clone(&ruleset));
        ruleset
    }
}
