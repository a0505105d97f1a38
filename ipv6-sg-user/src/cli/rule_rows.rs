//! Rules as they are printed, with the keys of the state files.

use serde::Serialize;

use super::output::texts;
use crate::state::{Icmpv6, Rule, Traffic};

/// Traffic that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TrafficRow {
    protocol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
}

impl From<Traffic> for TrafficRow {
    fn from(traffic: Traffic) -> Self {
        let row = |protocol: &str| Self { protocol: protocol.to_owned(), ports: None, kind: None, code: None };
        match traffic {
            Traffic::All => row("all"),
            Traffic::Tcp(ports) => Self { ports: Some(ports.to_string()), ..row("tcp") },
            Traffic::Udp(ports) => Self { ports: Some(ports.to_string()), ..row("udp") },
            Traffic::Icmpv6(Icmpv6::Any) => row("icmpv6"),
            Traffic::Icmpv6(Icmpv6::Type(kind)) => Self { kind: Some(kind), ..row("icmpv6") },
            Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code)) => {
                Self { kind: Some(kind), code: Some(code), ..row("icmpv6") }
            }
            Traffic::Protocol(number) => row(&number.to_string()),
        }
    }
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RuleRow {
    #[serde(flatten)]
    traffic: TrafficRow,
    peers: Vec<String>,
    #[serde(skip)]
    text: String,
}

/// Which way a group's rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Ingress,
    Egress,
}

impl Side {
    pub(super) const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// The key in state files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl RuleRow {
    pub(super) fn new(rule: &Rule, side: Side) -> Self {
        let peers = texts(&rule.peers);
        let preposition = match side {
            Side::Ingress => "from",
            Side::Egress => "to",
        };
        let text = format!("{} {preposition} {}", rule.traffic, peers.join(", "));
        Self { traffic: rule.traffic.into(), peers, text }
    }

    /// For people.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// A rule, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct WrittenRow {
    group: String,
    direction: &'static str,
    /// Its place among the group's rules of this direction, from 0.
    index: usize,
    #[serde(flatten)]
    rule: RuleRow,
}

impl WrittenRow {
    pub(super) fn new(group: &str, side: Side, index: usize, rule: &Rule) -> Self {
        Self { group: group.to_owned(), direction: side.name(), index, rule: RuleRow::new(rule, side) }
    }

    /// Where it is written, as errors in state files say it.
    pub(super) fn place(&self) -> String {
        format!("{} {}[{}]", self.group, self.direction, self.index)
    }

    /// What it says.
    pub(super) fn text(&self) -> &str {
        self.rule.text()
    }
}
