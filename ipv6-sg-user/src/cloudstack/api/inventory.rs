//! What the management server has answered, as plain data: what this host needs of it, and no more.
//!
//! VMs of all hosts are here, for rules name groups, and groups have members everywhere; VMs that do not run are not.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;
use serde::{Deserialize, Serialize};

use crate::cloudstack::agent::command::Secondary;
use crate::poll::Answer;

/// Everything, each list in the order of ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// This host.
    pub host: Host,
    /// The VMs that run.
    pub vms: Vec<Vm>,
    /// The security groups.
    pub groups: Vec<Group>,
    /// The networks that these VMs are on.
    pub networks: Vec<Network>,
    /// The ids of VMs that security groups have and that are not listed, however often they are asked for.
    pub unlisted: Vec<String>,
}

impl Answer for Inventory {
    const WHO: &'static str = "CloudStack";
    const FILE: &'static str = "cloudstack-api.json";
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vm {
    /// Its id.
    pub id: String,
    /// As its host calls it: `i-2-55-VM`.
    pub name: String,
    /// The id of its host. While it is migrated, one of the two.
    pub host: Option<String>,
    /// Whether it is on its way from one host to another.
    pub migrating: bool,
    /// The ids of its security groups.
    pub groups: Vec<String>,
    /// Its NICs.
    pub nics: Vec<Nic>,
}

/// A NIC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nic {
    /// The VM's MAC.
    #[serde(with = "mac")]
    pub mac: Mac,
    /// The id of its network.
    pub network: String,
    /// Its address, as CloudStack computes it.
    pub address: Option<Ipv6Addr>,
    /// What that address is from.
    pub cidr: Option<Ipv6Net>,
    /// What else it may use.
    pub secondary: Vec<Secondary>,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name: another account may have a group of the same.
    pub name: String,
    /// The account that it belongs to; none when it is a project's.
    pub account: Option<String>,
    /// The project that it belongs to.
    pub project: Option<String>,
    /// The id of the domain of either.
    pub domain: Option<String>,
    /// What may come in.
    pub ingress: Vec<Rule>,
    /// What may leave.
    pub egress: Vec<Rule>,
}

/// A rule in CloudStack's words: tenants write them, and what cannot be understood is one group's and nobody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, `all` or a number.
    pub protocol: String,
    /// The lowest port, or the ICMP type.
    pub first: Option<i64>,
    /// The highest port, or the ICMP code.
    pub last: Option<i64>,
    /// With whom.
    pub peer: Peer,
}

/// The other end of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// Addresses of either family.
    Cidr(String),
    /// A group, by its name, and the account that it belongs to.
    Group {
        /// Its name.
        name: String,
        /// Its account; a project has one with a name of its own.
        account: Option<String>,
    },
    /// A group that is no more.
    Nobody,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its IPv6 addresses.
    pub cidr: Option<Ipv6Net>,
    /// Whether VMs on it have security groups: where not, nothing is touched.
    pub security_groups: bool,
}

mod mac {
    use ipv6_sg_common::mac::Mac;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(mac: &Mac, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(mac)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
