//! The items of CloudStack's lists, as it writes them, and what is kept of each.
//!
//! What tenants write is kept as it is. All else is CloudStack's own: where it cannot be understood, the answer is none.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Deserializer};

use super::inventory::{Group, Network, Nic, Peer, Rule, Vm};
use super::pages;
use crate::cloudstack::agent::command::Secondary;

/// The states in which a VM may send: it runs, comes or goes, or its host is not heard of.
const RUNS: [&str; 5] = ["Running", "Starting", "Stopping", "Migrating", "Unknown"];

/// The service of networks whose VMs have security groups.
const SECURITY_GROUP: &str = "SecurityGroup";

/// Of `listHosts`.
#[derive(Debug, Deserialize)]
pub(super) struct HostItem {
    pub(super) id: String,
    pub(super) name: String,
}

/// Of `listVirtualMachines`.
#[derive(Debug, Deserialize)]
pub(super) struct VmItem {
    pub(super) id: String,
    pub(super) state: String,
    instancename: Option<String>,
    hostid: Option<String>,
    zoneid: Option<String>,
    zonename: Option<String>,
    #[serde(default, deserialize_with = "list")]
    nic: Vec<NicItem>,
    #[serde(default, deserialize_with = "list")]
    securitygroup: Vec<Id>,
}

#[derive(Debug, Deserialize)]
struct NicItem {
    macaddress: Option<String>,
    networkid: Option<String>,
    ip6address: Option<String>,
    ip6cidr: Option<String>,
    #[serde(default, deserialize_with = "list")]
    secondaryip: Vec<SecondaryItem>,
}

#[derive(Debug, Deserialize)]
struct SecondaryItem {
    ipaddress: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Id {
    id: String,
}

/// Of `listSecurityGroups`.
#[derive(Debug, Deserialize)]
pub(super) struct GroupItem {
    pub(super) id: String,
    name: String,
    account: Option<String>,
    project: Option<String>,
    domainid: Option<String>,
    #[serde(default, deserialize_with = "list")]
    ingressrule: Vec<RuleItem>,
    #[serde(default, deserialize_with = "list")]
    egressrule: Vec<RuleItem>,
    /// The VMs in it, on all hosts and in all states.
    #[serde(default, deserialize_with = "list")]
    pub(super) virtualmachineids: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RuleItem {
    protocol: Option<String>,
    startport: Option<Number>,
    endport: Option<Number>,
    icmptype: Option<Number>,
    icmpcode: Option<Number>,
    cidr: Option<String>,
    securitygroupname: Option<String>,
    account: Option<String>,
}

/// Some releases write numbers as text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Number(i64),
    Text(String),
}

/// Of `listNetworks`.
#[derive(Debug, Deserialize)]
pub(super) struct NetworkItem {
    pub(super) id: String,
    name: Option<String>,
    ip6cidr: Option<String>,
    #[serde(default, deserialize_with = "list")]
    service: Vec<ServiceItem>,
}

#[derive(Debug, Deserialize)]
struct ServiceItem {
    name: String,
}

impl VmItem {
    /// What is kept of it, if it may send.
    pub(super) fn keep_if_it_runs(self) -> Result<Option<Vm>, String> {
        if RUNS.contains(&self.state.as_str()) { self.keep().map(Some) } else { Ok(None) }
    }

    /// Whether it is in a zone of this name or id.
    pub(super) fn is_in(&self, zone: Option<&str>) -> bool {
        zone.is_none_or(|zone| [&self.zoneid, &self.zonename].into_iter().flatten().any(|its| its == zone))
    }

    /// NICs that are not plugged in have no MAC yet.
    pub(super) fn keep(self) -> Result<Vm, String> {
        let of = |problem: String| format!("virtualmachine {}: {problem}", self.id);
        let nics = self.nic.into_iter().filter_map(|nic| nic.keep().transpose());
        let groups: BTreeSet<_> = self.securitygroup.into_iter().map(|group| group.id).collect();
        Ok(Vm {
            name: self.instancename.ok_or_else(|| of("no instancename; the user must be a root admin".to_owned()))?,
            host: self.hostid,
            migrating: self.state == "Migrating",
            groups: groups.into_iter().collect(),
            nics: nics.collect::<Result<_, _>>().map_err(of)?,
            id: self.id,
        })
    }
}

impl NicItem {
    fn keep(self) -> Result<Option<Nic>, String> {
        let (Some(mac), Some(network)) = (self.macaddress, self.networkid) else { return Ok(None) };
        let secondary = self.secondaryip.into_iter().filter_map(|item| said(item.ipaddress));
        let secondary =
            secondary.filter_map(|text| secondary_of(&text).transpose()).collect::<Result<BTreeSet<_>, _>>()?;
        Ok(Some(Nic {
            mac: mac.parse().map_err(|_| format!("macaddress {mac:?} is no MAC"))?,
            network,
            address: said(self.ip6address).map(|text| parsed("ip6address", &text)).transpose()?,
            cidr: cidr(self.ip6cidr)?,
            secondary: secondary.into_iter().collect(),
        }))
    }
}

impl GroupItem {
    /// What is kept of it.
    pub(super) fn keep(self) -> Group {
        let rules = |items: Vec<RuleItem>| items.into_iter().map(RuleItem::keep).collect();
        Group {
            id: self.id,
            name: self.name,
            account: said(self.account),
            project: said(self.project),
            domain: said(self.domainid),
            ingress: rules(self.ingressrule),
            egress: rules(self.egressrule),
        }
    }
}

impl RuleItem {
    fn keep(self) -> Rule {
        let number = |number: Option<Number>| match number? {
            Number::Number(number) => Some(number),
            Number::Text(text) => text.parse().ok(),
        };
        let peer = match (said(self.cidr), said(self.securitygroupname)) {
            (Some(cidr), _) => Peer::Cidr(cidr),
            (None, Some(name)) => Peer::Group { name, account: said(self.account) },
            (None, None) => Peer::Nobody,
        };
        Rule {
            protocol: self.protocol.unwrap_or_default(),
            first: number(self.icmptype.or(self.startport)),
            last: number(self.icmpcode.or(self.endport)),
            peer,
        }
    }
}

impl NetworkItem {
    /// What is kept of it.
    pub(super) fn keep(self) -> Result<Network, String> {
        Ok(Network {
            cidr: cidr(self.ip6cidr).map_err(|problem| format!("network {}: {problem}", self.id))?,
            name: self.name.unwrap_or_default(),
            security_groups: self.service.iter().any(|service| service.name == SECURITY_GROUP),
            id: self.id,
        })
    }
}

impl pages::Item for HostItem {
    fn id(&self) -> &str {
        &self.id
    }
}

impl pages::Item for VmItem {
    fn id(&self) -> &str {
        &self.id
    }
}

impl pages::Item for GroupItem {
    fn id(&self) -> &str {
        &self.id
    }
}

impl pages::Item for NetworkItem {
    fn id(&self) -> &str {
        &self.id
    }
}

/// `null` is as good as nothing, and nothing as an empty list.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An empty text says nothing.
fn said(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn parsed<T: std::str::FromStr>(key: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{key} {text:?} is none"))
}

fn cidr(text: Option<String>) -> Result<Option<Ipv6Net>, String> {
    said(text).map(|text| parsed::<Ipv6Net>("ip6cidr", &text).map(|cidr| cidr.trunc())).transpose()
}

/// An address of either family, or a prefix; `None` for IPv4.
fn secondary_of(text: &str) -> Result<Option<Secondary>, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(match address {
            IpAddr::V6(address) => Some(Secondary::Address(address)),
            IpAddr::V4(_) => None,
        });
    }
    Ok(match parsed::<IpNet>("secondaryip", text)? {
        IpNet::V6(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => Some(Secondary::Address(prefix.addr())),
        IpNet::V6(prefix) => Some(Secondary::Delegated(prefix.trunc())),
        IpNet::V4(_) => None,
    })
}

#[cfg(test)]
mod tests;
