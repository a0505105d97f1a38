//! Traffic and packets that crowd around the same few edges.

use std::collections::BTreeSet;

use ipv6_sg_common::packet::protocol as upper;
use proptest::prelude::*;
use proptest::sample::select;

use crate::compile::allowance::message;
use crate::state::{Icmpv6, PortRange, Traffic};

const PORTS: [u16; 12] = [0, 1, 2, 21, 22, 23, 24, 1023, 1024, 5008, 65534, 65535];
const KINDS: [u8; 7] = [0, 1, 127, 128, 129, 200, 255];
const CODES: [u8; 4] = [0, 1, 254, 255];
const PROTOCOLS: [u8; 6] = [0, 5, 47, 59, 132, 255];

/// What a rule may be about.
pub(in crate::compile) fn traffic() -> impl Strategy<Value = Traffic> {
    let port = || prop_oneof![9 => select(&PORTS[..]), 1 => any::<u16>()];
    let ports = || (port(), port()).prop_map(|(a, b)| PortRange { first: a.min(b), last: a.max(b) });
    let kind = || select(&KINDS[..]);
    prop_oneof![
        1 => Just(Traffic::All),
        5 => ports().prop_map(Traffic::Tcp),
        5 => ports().prop_map(Traffic::Udp),
        1 => Just(Traffic::Icmpv6(Icmpv6::Any)),
        2 => kind().prop_map(|kind| Traffic::Icmpv6(Icmpv6::Type(kind))),
        3 => (kind(), select(&CODES[..])).prop_map(|(kind, code)| Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code))),
        2 => select(&PROTOCOLS[..]).prop_map(Traffic::Protocol),
    ]
}

/// Packets, as protocol and number, on the edges of this traffic and right beyond them.
pub(in crate::compile) fn edges(traffic: impl IntoIterator<Item = Traffic>) -> Vec<(u8, u16)> {
    let mut edges = BTreeSet::from([(99, 0)]);
    for traffic in traffic {
        let (protocol, another, (first, last)) = match traffic {
            Traffic::All => (upper::TCP, upper::UDP, (0, 0)),
            Traffic::Tcp(ports) | Traffic::Udp(ports) => (upper::TCP, upper::UDP, (ports.first, ports.last)),
            Traffic::Icmpv6(Icmpv6::Any) => (upper::ICMPV6, upper::ICMPV6, (0, u16::MAX)),
            Traffic::Icmpv6(Icmpv6::Type(kind)) => (upper::ICMPV6, upper::TCP, (message(kind, 0), message(kind, 255))),
            Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code)) => {
                (upper::ICMPV6, upper::UDP, (message(kind, code), message(kind, code)))
            }
            Traffic::Protocol(other) => (other, other.wrapping_add(1), (0, u16::MAX)),
        };
        for protocol in [protocol, another] {
            edges.extend([first.wrapping_sub(1), first, last, last.wrapping_add(1)].map(|edge| (protocol, edge)));
        }
    }
    edges.into_iter().collect()
}
