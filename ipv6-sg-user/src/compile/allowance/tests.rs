use proptest::prelude::*;

use super::*;
use crate::compile::tests::arbitrary::{edges, traffic};

const TCP: u8 = protocol::TCP;
const UDP: u8 = protocol::UDP;
const ICMPV6: u8 = protocol::ICMPV6;

fn allowance(traffic: &[Traffic]) -> Allowance {
    let each: Vec<Allowance> = traffic.iter().map(|traffic| (*traffic).into()).collect();
    Allowance::union(&each)
}

fn tcp(first: u16, last: u16) -> Traffic {
    Traffic::Tcp(PortRange { first, last })
}

fn udp(first: u16, last: u16) -> Traffic {
    Traffic::Udp(PortRange { first, last })
}

const ANY_ICMPV6: Traffic = Traffic::Icmpv6(Icmpv6::Any);

fn kind(kind: u8) -> Traffic {
    Traffic::Icmpv6(Icmpv6::Type(kind))
}

fn code(kind: u8, code: u8) -> Traffic {
    Traffic::Icmpv6(Icmpv6::TypeAndCode(kind, code))
}

fn services(traffic: &[Traffic]) -> Vec<Service> {
    allowance(traffic).services().collect()
}

fn service(protocol: u8, number: u16, bits: u8) -> Service {
    Service { protocol: Some(protocol), number, bits, names_type: false }
}

fn named(number: u16, bits: u8) -> Service {
    Service { protocol: Some(ICMPV6), number, bits, names_type: true }
}

const EVERYTHING: Service = Service { protocol: None, number: 0, bits: 0, names_type: false };

/// The answer by the services alone, as a longest-prefix table gives it.
fn longest(allowance: &Allowance, protocol: u8, number: u16) -> Option<Grant> {
    let covers = |service: &Service| match service.protocol {
        None => true,
        Some(of) => of == protocol && (service.bits == 0 || (service.number ^ number) >> (16 - service.bits) == 0),
    };
    let longest = allowance.services().filter(covers).max_by_key(|service| (service.protocol, service.bits))?;
    Some(if longest.names_type { Grant::NamesType } else { Grant::General })
}

#[test]
fn the_same_traffic_is_the_same_value() {
    for (one, other) in [
        (vec![tcp(22, 22)], vec![tcp(22, 22), tcp(22, 22)]),
        (vec![tcp(20, 30)], vec![tcp(26, 30), tcp(20, 25)]),
        (vec![tcp(20, 30)], vec![tcp(20, 27), tcp(25, 30), tcp(22, 23)]),
        (vec![Traffic::Tcp(PortRange::ALL)], vec![tcp(1, 65535), tcp(0, 0)]),
        (vec![Traffic::Udp(PortRange::ALL)], vec![udp(0, 1023), udp(1024, 65535), udp(7, 7)]),
        (vec![Traffic::All], vec![tcp(22, 22), Traffic::All, udp(1, 2), ANY_ICMPV6, Traffic::Protocol(47)]),
        (vec![kind(128)], vec![code(128, 0), kind(128), code(128, 255)]),
        (vec![kind(128)], (0..=255).map(|number| code(128, number)).collect()),
        ((0..=255).map(kind).collect(), (0..=255).map(kind).chain([ANY_ICMPV6]).collect()),
        (vec![kind(1), udp(1, 1)], vec![udp(1, 1), kind(1)]),
    ] {
        assert_eq!(allowance(&one), allowance(&other), "{one:?} {other:?}");
    }
}

#[test]
fn other_traffic_is_another_value() {
    let all = [
        vec![],
        vec![Traffic::All],
        vec![Traffic::All, kind(128)],
        vec![Traffic::All, code(128, 0)],
        vec![ANY_ICMPV6],
        vec![ANY_ICMPV6, kind(128)],
        vec![ANY_ICMPV6, code(128, 0)],
        vec![kind(128)],
        vec![code(128, 0)],
        vec![tcp(0, 65535)],
        vec![tcp(1, 65535)],
        vec![udp(0, 65535)],
        vec![tcp(22, 22), tcp(24, 24)],
        vec![tcp(22, 24)],
        vec![Traffic::Protocol(47)],
        vec![Traffic::Protocol(50), Traffic::Protocol(47)],
    ];
    for (index, one) in all.iter().enumerate() {
        for other in all.iter().skip(index + 1) {
            assert_ne!(allowance(one), allowance(other));
        }
    }
}

#[test]
fn services_of_the_interface() {
    assert_eq!(services(&[]), []);
    assert_eq!(services(&[tcp(22, 22)]), [service(TCP, 22, 16)]);
    assert_eq!(services(&[udp(5000, 5010)]), [service(UDP, 5000, 13), service(UDP, 5008, 15), service(UDP, 5010, 16)]);
    assert_eq!(services(&[code(128, 0)]), [named(128 << 8, 16)]);
    assert_eq!(services(&[Traffic::All]), [EVERYTHING]);
    assert_eq!(services(&[Traffic::All, tcp(22, 22), kind(200)]), [EVERYTHING, named(200 << 8, 8)]);
    assert_eq!(services(&[Traffic::Tcp(PortRange::ALL)]), [service(TCP, 0, 0)]);
    assert_eq!(services(&[tcp(0, 65535), tcp(22, 22)]), [service(TCP, 0, 0)]);
    assert_eq!(services(&[tcp(1, 65535)]).len(), 16);
    assert_eq!(services(&[ANY_ICMPV6, code(1, 2)]), [service(ICMPV6, 0, 0), named(0x0102, 16)]);
    // Two types whose numbers differ in the last bit alone.
    assert_eq!(services(&[kind(128), kind(129)]), [named(128 << 8, 7)]);
    assert_eq!(services(&[Traffic::Protocol(132), Traffic::Protocol(47)]), [service(47, 0, 0), service(132, 0, 0)]);
}

#[test]
fn types_are_named_by_their_rules_alone() {
    let general = Some(Grant::General);
    let named = Some(Grant::NamesType);
    for wide in [Traffic::All, ANY_ICMPV6] {
        let allowed = allowance(&[kind(200), wide, code(201, 7)]);
        assert_eq!(allowed.allows(ICMPV6, message(200, 0)), named);
        assert_eq!(allowed.allows(ICMPV6, message(200, 255)), named);
        assert_eq!(allowed.allows(ICMPV6, message(201, 7)), named);
        assert_eq!(allowed.allows(ICMPV6, message(201, 6)), general);
        assert_eq!(allowed.allows(ICMPV6, message(199, 255)), general);
        assert_eq!(allowed.allows(TCP, message(200, 0)), general.filter(|_| wide == Traffic::All));
    }
    let allowed = allowance(&[kind(200)]);
    assert_eq!(allowed.allows(ICMPV6, message(201, 0)), None);
    assert_eq!(allowed.allows(UDP, message(200, 0)), None);
}

#[test]
fn ports_and_protocols() {
    let allowed = allowance(&[tcp(22, 24), udp(53, 53), Traffic::Protocol(47)]);
    let passes = |protocol, number| allowed.allows(protocol, number).is_some();
    assert!(passes(TCP, 22) && passes(TCP, 24) && passes(UDP, 53) && passes(47, 0) && passes(47, 9));
    assert!(!passes(TCP, 21) && !passes(TCP, 25) && !passes(TCP, 53) && !passes(UDP, 22) && !passes(132, 22));
    assert!(!passes(ICMPV6, 22) && Allowance::default().allows(TCP, 22).is_none());
}

proptest! {
    #[test]
    fn services_say_what_the_allowance_says(traffic in prop::collection::vec(traffic(), 0..10)) {
        let allowed = allowance(&traffic);
        for (protocol, number) in edges(traffic) {
            let answer = allowed.allows(protocol, number);
            prop_assert_eq!(longest(&allowed, protocol, number), answer, "{} {}", protocol, number);
        }
        let key = |service: Service| (service.protocol, service.number, service.bits);
        let mut keys: Vec<_> = allowed.services().map(key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), all);
    }

    #[test]
    fn a_union_says_what_its_parts_say(
        parts in prop::collection::vec(prop::collection::vec(traffic(), 0..4), 0..4)
    ) {
        let each: Vec<_> = parts.iter().map(|traffic| allowance(traffic)).collect();
        let union = Allowance::union(&each);
        for (protocol, number) in edges(parts.concat()) {
            let answer = each.iter().filter_map(|part| part.allows(protocol, number)).max();
            prop_assert_eq!(union.allows(protocol, number), answer, "{} {}", protocol, number);
        }
        prop_assert_eq!(allowance(&parts.concat()), union);
    }

    /// Ranges cut in two, types by their codes, in another order, some of it twice: still the same value.
    #[test]
    fn how_it_is_written_does_not_matter(traffic in prop::collection::vec((traffic(), any::<u16>()), 0..8)) {
        let as_written: Vec<_> = traffic.iter().map(|(traffic, _)| *traffic).collect();
        let mut otherwise = Vec::new();
        for (traffic, cut) in traffic.into_iter().rev() {
            let halves = |PortRange { first, last }| {
                let middle = cut.clamp(first, last);
                let upper = PortRange { first: middle.saturating_add(1).min(last), last };
                [upper, PortRange { first, last: middle }]
            };
            match traffic {
                Traffic::Tcp(ports) => otherwise.extend(halves(ports).map(Traffic::Tcp)),
                Traffic::Udp(ports) => otherwise.extend(halves(ports).map(Traffic::Udp)),
                Traffic::Icmpv6(Icmpv6::Type(kind)) => otherwise.extend((0..=255).map(|number| code(kind, number))),
                other => otherwise.extend([other, other]),
            }
        }
        prop_assert_eq!(allowance(&as_written), allowance(&otherwise));
    }
}
