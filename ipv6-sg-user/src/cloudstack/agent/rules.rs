//! The agent's `--rules`: one text for all rules of a VM, IPv4 and IPv6 mixed.
//!
//! ```text
//! rules := rule*    rule := ("I" | "E") ":" protocol ";" start ";" end ";" (cidr ",")* "NEXT;"
//! ```
//! Only what is about IPv6 is kept; what is said of IPv4 is the stock script's. A text that cannot be understood is refused
//! as a whole: half of somebody's rules is nobody's policy.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;

use crate::state::{self, Icmpv6, Peer, PortRange, Rule, Traffic};

/// The rules of a VM, for IPv6.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    /// What may come in; empty: nothing.
    pub ingress: state::Rules,
    /// What may leave; empty: everything.
    pub egress: state::Rules,
}

/// What is wrong with a text of rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--rules, rule {number} ({rule:?}): {problem}")]
pub struct RulesError {
    /// Which rule, from 1.
    number: usize,
    /// As it is written; shortened.
    rule: String,
    problem: RuleProblem,
}

/// What is wrong with one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cloudstack) enum RuleProblem {
    #[error("begins with neither I: nor E:")]
    Direction,
    #[error("wants protocol;start;end; before its addresses")]
    Fields,
    #[error("{0:?} is no protocol: write all, tcp, udp, icmp or a number from 0 to 255")]
    Protocol(String),
    #[error("{0:?} to {1:?} are no ports: write numbers from 0 to 65535, the lower one first")]
    Ports(String, String),
    #[error("{0:?} and {1:?} are no ICMP type and code: write numbers from 0 to 255, or -1 for any")]
    Icmp(String, String),
    #[error("{0:?} is no address and no prefix")]
    Peer(String),
}

/// How much of a refused rule is shown.
const EXCERPT: usize = 80;

/// What separates rules.
const END: &str = "NEXT;";

impl Rules {
    /// Reads the agent's text. What follows the last `NEXT;` is dropped, as the stock script does.
    ///
    /// # Errors
    /// The first rule that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let (mut ingress, mut egress) = (Vec::new(), Vec::new());
        let (complete, _) = text.rsplit_once(END).unwrap_or_default();
        if complete.is_empty() {
            return Ok(Self::default());
        }
        for (written, number) in complete.split(END).zip(1..) {
            let refused = |problem| RulesError { number, rule: written.chars().take(EXCERPT).collect(), problem };
            let (side, rest) = if let Some(rest) = written.strip_prefix("I:") {
                (&mut ingress, rest)
            } else if let Some(rest) = written.strip_prefix("E:") {
                (&mut egress, rest)
            } else {
                return Err(refused(RuleProblem::Direction));
            };
            side.extend(rule(rest).map_err(refused)?);
        }
        Ok(Self { ingress: ingress.into(), egress: egress.into() })
    }
}

/// One rule; `None` where it says nothing about IPv6.
fn rule(text: &str) -> Result<Option<Rule>, RuleProblem> {
    let mut fields = text.splitn(4, ';');
    let (Some(protocol), Some(start), Some(end), Some(peers)) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(RuleProblem::Fields);
    };
    let traffic = traffic(protocol, start, end)?;
    let peers = peers.split(',').map(str::trim).filter(|peer| !peer.is_empty());
    let peers = peers.filter_map(|text| peer(text).transpose()).collect::<Result<Vec<_>, _>>()?;
    Ok((!peers.is_empty()).then_some(Rule { traffic, peers }))
}

/// What a rule is about, in CloudStack's words: its agent's, and its management server's.
pub(in crate::cloudstack) fn traffic(protocol: &str, start: &str, end: &str) -> Result<Traffic, RuleProblem> {
    match protocol.to_ascii_lowercase().as_str() {
        "all" => Ok(Traffic::All),
        "tcp" => ports(start, end).map(Traffic::Tcp),
        "udp" => ports(start, end).map(Traffic::Udp),
        "icmp" | "icmpv6" => icmp(start, end).map(Traffic::Icmpv6),
        // Ports mean nothing beside a number, not even beside TCP's.
        number => match number.parse() {
            Ok(6) => Ok(Traffic::Tcp(PortRange::ALL)),
            Ok(17) => Ok(Traffic::Udp(PortRange::ALL)),
            Ok(58) => Ok(Traffic::Icmpv6(Icmpv6::Any)),
            Ok(number) => Ok(Traffic::Protocol(number)),
            Err(_) => Err(RuleProblem::Protocol(protocol.to_owned())),
        },
    }
}

fn ports(start: &str, end: &str) -> Result<PortRange, RuleProblem> {
    match (start.parse(), end.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(PortRange { first, last }),
        _ => Err(RuleProblem::Ports(start.to_owned(), end.to_owned())),
    }
}

/// One word stands for ICMP of both families. A rule that was meant for IPv4 alone and names IPv6 addresses too is taken at its
/// word: left out, it could leave no egress rule, and then everything may leave.
fn icmp(kind: &str, code: &str) -> Result<Icmpv6, RuleProblem> {
    let refused = || RuleProblem::Icmp(kind.to_owned(), code.to_owned());
    let number = |text: &str| match text {
        "-1" => Ok(None),
        number => number.parse::<u8>().map(Some).map_err(|_| refused()),
    };
    Ok(match (number(kind)?, number(code)?) {
        (None, _) => Icmpv6::Any,
        (Some(kind), None) => Icmpv6::Type(kind),
        (Some(kind), Some(code)) => Icmpv6::TypeAndCode(kind, code),
    })
}

/// An IPv6 peer; `None` for IPv4, and for what the management server writes for a member without an address.
pub(in crate::cloudstack) fn peer(text: &str) -> Result<Option<Peer>, RuleProblem> {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let refused = || RuleProblem::Peer(text.to_owned());
    if address == "null" {
        return Ok(None);
    }
    if address.parse::<Ipv4Addr>().is_ok() {
        return if length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= 32)) {
            Ok(None)
        } else {
            Err(refused())
        };
    }
    let address: Ipv6Addr = address.parse().map_err(|_| refused())?;
    let length = length.map_or(Ok(128), str::parse).map_err(|_| refused())?;
    Ipv6Net::new(address, length).map(|prefix| Some(Peer::Prefix(prefix.trunc()))).map_err(|_| refused())
}

/// As the agent would write it.
impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (side, rules) in [("I", &self.ingress), ("E", &self.egress)] {
            for rule in rules.iter() {
                let (protocol, start, end) = fields(rule.traffic);
                write!(f, "{side}:{protocol};{start};{end};")?;
                rule.peers.iter().try_for_each(|peer| write!(f, "{peer},"))?;
                f.write_str(END)?;
            }
        }
        Ok(())
    }
}

fn fields(traffic: Traffic) -> (String, i32, i32) {
    let both = |protocol: &str, start: i32, end: i32| (protocol.to_owned(), start, end);
    match traffic {
        Traffic::All => both("all", 0, 0),
        Traffic::Tcp(PortRange { first, last }) => both("tcp", first.into(), last.into()),
        Traffic::Udp(PortRange { first, last }) => both("udp", first.into(), last.into()),
        Traffic::Icmpv6(Icmpv6::Any) => both("icmp", -1, -1),
        Traffic::Icmpv6(Icmpv6::Type(kind)) => both("icmp", kind.into(), -1),
        Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code)) => both("icmp", kind.into(), code.into()),
        Traffic::Protocol(number) => (number.to_string(), 0, 0),
    }
}

#[cfg(test)]
mod tests;
