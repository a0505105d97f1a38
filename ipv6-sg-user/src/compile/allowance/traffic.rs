//! An allowance in the words of rules: what people read instead of the entries of a table.

use ipv6_sg_common::packet::protocol;

use super::Allowance;
use crate::state::{Icmpv6, PortRange, Traffic};

impl Allowance {
    /// The traffic of the fewest rules that together allow the same; nothing for what allows nothing.
    pub fn traffic(&self) -> Vec<Traffic> {
        let ports = |(first, last): &(u16, u16)| PortRange { first: *first, last: *last };
        let mut traffic = Vec::new();
        traffic.extend(self.every_protocol.then_some(Traffic::All));
        traffic.extend(self.tcp.ranges().iter().map(ports).map(Traffic::Tcp));
        traffic.extend(self.udp.ranges().iter().map(ports).map(Traffic::Udp));
        traffic.extend(self.protocols.iter().map(|number| match *number {
            protocol::TCP => Traffic::Tcp(PortRange::ALL),
            protocol::UDP => Traffic::Udp(PortRange::ALL),
            protocol::ICMPV6 => Traffic::Icmpv6(Icmpv6::Any),
            other => Traffic::Protocol(other),
        }));
        traffic.extend(self.named.ranges().iter().flat_map(|range| messages(*range)).map(Traffic::Icmpv6));
        traffic
    }
}

/// The messages of a range of types with their codes: whole types where every code is in it.
fn messages((first, last): (u16, u16)) -> impl Iterator<Item = Icmpv6> {
    let [[first_kind, first_code], [last_kind, last_code]] = [first.to_be_bytes(), last.to_be_bytes()];
    (first_kind..=last_kind).flat_map(move |kind| {
        let from = if kind == first_kind { first_code } else { 0 };
        let to = if kind == last_kind { last_code } else { u8::MAX };
        let whole = from == 0 && to == u8::MAX;
        let one_by_one = if whole { None } else { Some((from..=to).map(move |code| Icmpv6::TypeAndCode(kind, code))) };
        whole.then_some(Icmpv6::Type(kind)).into_iter().chain(one_by_one.into_iter().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(traffic: &[Traffic]) -> Vec<String> {
        let allowances: Vec<Allowance> = traffic.iter().map(|traffic| (*traffic).into()).collect();
        let union = Allowance::union(&allowances);
        let said = union.traffic();
        // Rules with these words allow the same.
        let again: Vec<Allowance> = said.iter().map(|traffic| (*traffic).into()).collect();
        assert_eq!(Allowance::union(&again), union);
        said.iter().map(ToString::to_string).collect()
    }

    fn range(first: u16, last: u16) -> PortRange {
        PortRange { first, last }
    }

    #[test]
    fn what_is_allowed_in_the_words_of_rules() {
        assert_eq!(words(&[]), [""; 0]);
        assert_eq!(words(&[Traffic::All, Traffic::Tcp(range(22, 22)), Traffic::Protocol(47)]), ["all"]);
        assert_eq!(
            words(&[
                Traffic::Protocol(47),
                Traffic::Udp(PortRange::ALL),
                Traffic::Tcp(range(23, 80)),
                Traffic::Tcp(range(22, 22)),
                Traffic::Tcp(range(443, 443)),
                Traffic::Icmpv6(Icmpv6::Any),
            ]),
            ["tcp 22-80", "tcp 443", "udp", "protocol 47", "icmpv6"]
        );
        // What a rule names is said beside `all`: it lets pass what `all` does not.
        assert_eq!(words(&[Traffic::All, Traffic::Icmpv6(Icmpv6::Type(200))]), ["all", "icmpv6 type 200"]);
    }

    #[test]
    fn types_and_codes_that_touch_are_told_apart() {
        let one = |kind, code| Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code));
        assert_eq!(
            words(&[one(1, 254), one(1, 255), Traffic::Icmpv6(Icmpv6::Type(2)), one(3, 0), one(9, 7)]),
            [
                "icmpv6 type 1 code 254",
                "icmpv6 type 1 code 255",
                "icmpv6 type 2",
                "icmpv6 type 3 code 0",
                "icmpv6 type 9 code 7"
            ]
        );
        let every: Vec<_> = (0..=u8::MAX).map(|kind| Traffic::Icmpv6(Icmpv6::Type(kind))).collect();
        assert_eq!(words(&every).len(), 256);
    }
}
