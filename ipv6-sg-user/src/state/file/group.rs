//! `[security_group.NAME]` and its rules.

use serde::Deserialize;
use toml::Spanned;

use super::{Document, list};
use crate::state::{Error, Icmpv6, Problem, Rule, SecurityGroup, Traffic, value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(default)]
    ingress: Vec<RuleEntry>,
    #[serde(default)]
    egress: Vec<RuleEntry>,
    #[serde(default)]
    members: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    protocol: Spanned<ProtocolText>,
    ports: Option<Spanned<String>>,
    #[serde(rename = "type")]
    kind: Option<Spanned<u8>>,
    code: Option<Spanned<u8>>,
    peers: Spanned<Vec<Spanned<String>>>,
}

/// A protocol by name or number: people write `protocol = 47` as readily as `"47"`.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a protocol is wanted: \"tcp\", \"udp\", \"icmpv6\", \"all\" or a number from 0 to 255")]
enum ProtocolText {
    Name(String),
    Number(i64),
}

impl Entry {
    pub(super) fn check(&self, document: &Document, name: &Spanned<String>) -> Result<SecurityGroup, Error> {
        let key = |key: &str| format!("security_group {:?} {key}", name.get_ref());
        let rules = |direction: &str, entries: &[RuleEntry]| {
            let check =
                |(index, entry): (usize, &RuleEntry)| entry.check(document, &key(&format!("{direction}[{index}]")));
            entries.iter().enumerate().map(check).collect::<Result<_, _>>()
        };
        Ok(SecurityGroup {
            name: document.value(|| "security_group".to_owned(), name, value::name)?,
            ingress: rules("ingress", &self.ingress)?,
            egress: rules("egress", &self.egress)?,
            members: list(document, &key("members"), &self.members, value::prefix)?,
            origin: document.origin_of(name),
        })
    }
}

impl RuleEntry {
    fn check(&self, document: &Document, rule: &str) -> Result<Rule, Error> {
        let peers = list(document, &format!("{rule}.peers"), self.peers.get_ref(), value::peer)?;
        if peers.is_empty() {
            return Err(document.invalid(&self.peers, format!("{rule}.peers"), String::new(), Problem::NoPeers));
        }
        Ok(Rule { traffic: self.traffic(document, rule)?, peers })
    }

    fn traffic(&self, document: &Document, rule: &str) -> Result<Traffic, Error> {
        let protocol = match self.protocol.get_ref() {
            ProtocolText::Name(name) => name.clone(),
            ProtocolText::Number(number) => number.to_string(),
        };
        let traffic = value::protocol(&protocol).map_err(|problem| {
            document.invalid(&self.protocol, format!("{rule}.protocol"), protocol.clone(), problem)
        })?;
        let is_icmpv6 = matches!(traffic, Traffic::Icmpv6(_));
        for (key, number) in [("type", &self.kind), ("code", &self.code)] {
            if let Some(number) = number
                && !is_icmpv6
            {
                let value = number.get_ref().to_string();
                return Err(document.invalid(
                    number,
                    format!("{rule}.{key}"),
                    value,
                    Problem::TypeWithoutIcmpv6(protocol),
                ));
            }
        }
        let ports = match &self.ports {
            None => None,
            Some(text) => Some(document.value(
                || format!("{rule}.ports"),
                text,
                |text| match traffic {
                    Traffic::Tcp(_) | Traffic::Udp(_) => value::ports(text),
                    _ => Err(Problem::PortsWithoutPorts(protocol)),
                },
            )?),
        };
        Ok(match (traffic, ports) {
            (Traffic::Tcp(all), ports) => Traffic::Tcp(ports.unwrap_or(all)),
            (Traffic::Udp(all), ports) => Traffic::Udp(ports.unwrap_or(all)),
            (Traffic::Icmpv6(_), _) => Traffic::Icmpv6(self.icmpv6(document, rule)?),
            (other @ (Traffic::All | Traffic::Protocol(_)), _) => other,
        })
    }

    fn icmpv6(&self, document: &Document, rule: &str) -> Result<Icmpv6, Error> {
        match (&self.kind, &self.code) {
            (None, None) => Ok(Icmpv6::Any),
            (Some(kind), None) => Ok(Icmpv6::Type(*kind.get_ref())),
            (Some(kind), Some(code)) => Ok(Icmpv6::TypeAndCode(*kind.get_ref(), *code.get_ref())),
            (None, Some(code)) => {
                let value = code.get_ref().to_string();
                Err(document.invalid(code, format!("{rule}.code"), value, Problem::CodeWithoutType))
            }
        }
    }
}
