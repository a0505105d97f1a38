//! Security groups and their rules, as written.

use std::fmt;
use std::sync::Arc;

use ipnet::Ipv6Net;

use super::Origin;

/// Rules in the order in which they were written. Shared, and told apart at a glance where they are the very same: there may be
/// a hundred for each of a thousand VMs.
pub type Rules = Arc<[Rule]>;

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its name.
    pub name: String,
    /// What may reach its ports; empty: nothing.
    pub ingress: Rules,
    /// What its ports may send; empty: everything.
    pub egress: Rules,
    /// Prefixes of its members on other hosts.
    pub members: Vec<Ipv6Net>,
    /// Where it was defined.
    pub origin: Origin,
}

/// Traffic that may flow between a port and its peers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Which traffic.
    pub traffic: Traffic,
    /// With whom; never empty.
    pub peers: Vec<Peer>,
}

/// Which traffic a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// Every protocol; ICMPv6 types without a meaning excepted.
    All,
    /// TCP to these ports.
    Tcp(PortRange),
    /// UDP to these ports.
    Udp(PortRange),
    /// ICMPv6 messages.
    Icmpv6(Icmpv6),
    /// Another protocol, by number: never 6, 17 or 58, which have variants of their own.
    Protocol(u8),
}

/// Destination ports, both ends included, the first not above the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };
}

/// Which ICMPv6 messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icmpv6 {
    /// Every type with a meaning.
    Any,
    /// This type, whatever the code.
    Type(u8),
    /// This type and code.
    TypeAndCode(u8, u8),
}

/// The other end of a rule's traffic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Addresses.
    Prefix(Ipv6Net),
    /// The source sets of a group's ports, and its members elsewhere.
    Group(String),
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Tcp(PortRange::ALL) => f.write_str("tcp"),
            Self::Tcp(ports) => write!(f, "tcp {ports}"),
            Self::Udp(PortRange::ALL) => f.write_str("udp"),
            Self::Udp(ports) => write!(f, "udp {ports}"),
            Self::Icmpv6(Icmpv6::Any) => f.write_str("icmpv6"),
            Self::Icmpv6(Icmpv6::Type(kind)) => write!(f, "icmpv6 type {kind}"),
            Self::Icmpv6(Icmpv6::TypeAndCode(kind, code)) => write!(f, "icmpv6 type {kind} code {code}"),
            Self::Protocol(number) => write!(f, "protocol {number}"),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => fmt::Display::fmt(prefix, f),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_they_are_meant() {
        for (traffic, text) in [
            (Traffic::All, "all"),
            (Traffic::Tcp(PortRange { first: 22, last: 22 }), "tcp 22"),
            (Traffic::Udp(PortRange { first: 5000, last: 5010 }), "udp 5000-5010"),
            (Traffic::Tcp(PortRange::ALL), "tcp"),
            (Traffic::Icmpv6(Icmpv6::Any), "icmpv6"),
            (Traffic::Icmpv6(Icmpv6::Type(128)), "icmpv6 type 128"),
            (Traffic::Icmpv6(Icmpv6::TypeAndCode(128, 0)), "icmpv6 type 128 code 0"),
            (Traffic::Protocol(47), "protocol 47"),
        ] {
            assert_eq!(traffic.to_string(), text);
        }
        assert_eq!(Peer::Group("db".into()).to_string(), "group:db");
    }
}
