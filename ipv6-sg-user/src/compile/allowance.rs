//! What may flow between a port and one of its peers: the traffic of all rules that cover the peer, in one value.
//!
//! Says what rules allow and nothing of what the rest of the policy does to the packet.

mod keys;
mod traffic;

use std::collections::BTreeSet;

use ipv6_sg_common::packet::protocol;

use super::numbers::Numbers;
use crate::state::{Icmpv6, PortRange, Traffic};

/// A set of traffic. Equal sets are equal values, except that what allows each protocol one by one is not the same as
/// what allows every protocol.
///
/// ICMPv6 messages that a rule names are kept whatever else is allowed: types without a row of their own in the policy
/// pass only when a rule names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Allowance {
    every_protocol: bool,
    /// Allowed as a whole, ICMPv6 among them when any message is meant.
    protocols: BTreeSet<u8>,
    tcp: Numbers,
    udp: Numbers,
    /// Type and code of the messages that rules name, as [`message`] has them.
    named: Numbers,
}

/// An entry of the table of services: where several match a packet, the one with the most bits holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// The upper-layer protocol; `None` for every one, with no bits of the number.
    pub protocol: Option<u8>,
    /// Destination port (TCP, UDP) or type and code (ICMPv6, see [`message`]), host byte order; zero beyond `bits`.
    pub number: u16,
    /// How many of the number's leading bits count, 0 to 16.
    pub bits: u8,
    /// Whether rules name the ICMPv6 types that this allows.
    pub names_type: bool,
}

/// How traffic is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Rules allow it and name no ICMPv6 type; not enough for types without a row of their own.
    General,
    /// A rule names its ICMPv6 type.
    NamesType,
}

/// Type and code of an ICMPv6 message as one number, the type in the upper half.
pub const fn message(kind: u8, code: u8) -> u16 {
    u16::from_be_bytes([kind, code])
}

impl Allowance {
    /// What any of these allow.
    pub fn union<'a>(allowances: impl IntoIterator<Item = &'a Self>) -> Self {
        let allowances: Vec<_> = allowances.into_iter().collect();
        let numbers = |of: fn(&Self) -> &Numbers| allowances.iter().flat_map(|one| of(one).ranges()).copied().collect();
        let mut union = Self {
            every_protocol: allowances.iter().any(|one| one.every_protocol),
            protocols: allowances.iter().flat_map(|one| &one.protocols).copied().collect(),
            tcp: numbers(|one| &one.tcp),
            udp: numbers(|one| &one.udp),
            named: numbers(|one| &one.named),
        };
        if union.every_protocol {
            (union.protocols, union.tcp, union.udp) = Default::default();
        }
        if union.named.is_full() {
            union.protocols.remove(&protocol::ICMPV6);
        }
        union
    }

    /// Whether and how this allows a packet of this upper-layer protocol with this destination port (TCP, UDP) or type
    /// and code (ICMPv6, see [`message`]); for other protocols the number does not count.
    pub fn allows(&self, protocol: u8, number: u16) -> Option<Grant> {
        if protocol == protocol::ICMPV6 && self.named.contains(number) {
            return Some(Grant::NamesType);
        }
        let general = self.every_protocol
            || self.protocols.contains(&protocol)
            || match protocol {
                protocol::TCP => self.tcp.contains(number),
                protocol::UDP => self.udp.contains(number),
                _ => false,
            };
        general.then_some(Grant::General)
    }

    /// The entries of the table of services that say the same: no two for the same bits, the fewest for each range.
    pub fn services(&self) -> impl Iterator<Item = Service> + '_ {
        let whole = |protocol| Service { protocol, number: 0, bits: 0, names_type: false };
        let every = self.every_protocol.then(|| whole(None));
        let numbers = [
            (protocol::TCP, &self.tcp, false),
            (protocol::UDP, &self.udp, false),
            (protocol::ICMPV6, &self.named, true),
        ];
        let parts = numbers.into_iter().flat_map(|(protocol, numbers, names_type)| {
            let service = move |(number, bits)| Service { protocol: Some(protocol), number, bits, names_type };
            numbers.prefixes().map(service)
        });
        every.into_iter().chain(self.protocols.iter().map(move |number| whole(Some(*number)))).chain(parts)
    }
}

impl From<Traffic> for Allowance {
    fn from(traffic: Traffic) -> Self {
        let nothing = Self::default();
        let range = |first, last| Numbers::from_iter([(first, last)]);
        match traffic {
            Traffic::All => Self { every_protocol: true, ..nothing },
            Traffic::Tcp(PortRange { first, last }) => Self { tcp: range(first, last), ..nothing },
            Traffic::Udp(PortRange { first, last }) => Self { udp: range(first, last), ..nothing },
            Traffic::Icmpv6(Icmpv6::Any) => Self { protocols: [protocol::ICMPV6].into(), ..nothing },
            Traffic::Icmpv6(Icmpv6::Type(kind)) => {
                Self { named: range(message(kind, 0), message(kind, u8::MAX)), ..nothing }
            }
            Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code)) => {
                Self { named: range(message(kind, code), message(kind, code)), ..nothing }
            }
            Traffic::Protocol(number) => Self { protocols: [number].into(), ..nothing },
        }
    }
}

#[cfg(test)]
mod tests;
