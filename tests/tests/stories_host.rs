//! The stories against the verdict core on the host.

use std::collections::BTreeSet;
use std::time::Duration;

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::*;
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire as _, Upper, icmpv6, raw, sctp, tcp, udp};
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::state;
use ipv6_sg_tests::stories::{self, Act};
use ipv6_sg_tests::world::{STRANGER, VM};

#[test]
fn every_story() {
    let mut wrong = Vec::new();
    for story in stories::all() {
        let mut host = Host::new(story.setup);
        for (place, act) in story.acts.iter().enumerate() {
            match act {
                Act::Crosses(direction, frame, expected) => {
                    let reason = host.judge(*direction, frame);
                    if reason != *expected {
                        wrong.push(format!("{} act {place}: {reason}, not {expected}: {frame:?}", story.name));
                    }
                }
                Act::Becomes(setup) => host.change(setup),
                Act::Passes(time) => host.age(*time),
                Act::Remembers(flows) => {
                    let remembered = host.flows();
                    if remembered.len() != *flows {
                        wrong.push(format!("{} act {place}: {flows} flows wanted, not {remembered:?}", story.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_are_unique_and_snake() {
    let mut seen = BTreeSet::new();
    for story in stories::all() {
        let snake = story.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(snake, "{} is not in snake case", story.name);
        assert!(seen.insert(story.name), "two stories are called {}", story.name);
    }
    assert!(seen.len() >= 150, "only {} stories", seen.len());
}

/// The kernel's clock goes on by itself: to the nanosecond only the host can tell.
#[test]
fn lifetimes_to_the_nanosecond() {
    let segment = |flags| tcp(40000, 443, flags);
    let tcp_back = |flags| tcp(443, 40000, flags);
    let (ping, pong) = (icmpv6::echo_request, icmpv6::echo_reply);
    let (query, reply) = (|| udp(40000, 53, &[]), || udp(53, 40000, &[]));
    let gre = || raw(47, vec![0; 4]);
    for (seconds, history, answer) in [
        (240, vec![(FromVm, segment(2))], tcp_back(0x12)),
        (5 * 24 * 3600, vec![(FromVm, segment(2)), (ToVm, tcp_back(0x12))], tcp_back(0x10)),
        (5 * 24 * 3600, vec![(FromVm, segment(0x11)), (ToVm, tcp_back(0x10))], tcp_back(0x10)),
        (240, vec![(FromVm, segment(0x11)), (ToVm, tcp_back(0x11))], tcp_back(0x10)),
        (240, vec![(FromVm, segment(2)), (ToVm, tcp_back(0x12)), (FromVm, segment(4))], tcp_back(0x10)),
        (120, vec![(FromVm, query())], reply()),
        (300, vec![(FromVm, query()), (ToVm, reply())], reply()),
        (60, vec![(FromVm, ping())], pong()),
        (60, vec![(FromVm, ping()), (ToVm, pong())], pong()),
        (600, vec![(FromVm, sctp(8, 9))], sctp(9, 8)),
        (600, vec![(FromVm, gre()), (ToVm, gre())], gre()),
    ] {
        let after = |silence| {
            let mut host = Host::new(state::setup("host", "security_groups = []\necho = \"rules\"", ""));
            for (direction, upper) in &history {
                let _ = host.judge(*direction, &packet(*direction, upper.clone()));
            }
            host.age(silence);
            host.judge(ToVm, &packet(ToVm, answer.clone()))
        };
        let lifetime = Duration::from_secs(seconds);
        assert_eq!(after(lifetime - Duration::from_nanos(1)), Established, "{history:?}");
        assert_eq!(after(lifetime), IngressDenied, "{history:?}");
    }
}

/// Between the VM and the stranger.
fn packet(direction: Direction, upper: Upper) -> Frame {
    match direction {
        FromVm => Ipv6::new(VM, STRANGER, upper).frame(FromVm),
        ToVm => Ipv6::new(STRANGER, VM, upper).frame(ToVm),
    }
}

/// Both sides of every decision about flows and rules, both ways.
#[test]
fn every_reason_of_rules_appears_both_ways() {
    let seen: BTreeSet<_> = stories::all()
        .into_iter()
        .flat_map(|story| story.acts)
        .filter_map(
            |act| if let Act::Crosses(direction, _, reason) = act { Some((direction as u8, reason)) } else { None },
        )
        .collect();
    for reason in [Allowed, Established, Fragment, FragmentUnknown, IcmpNeedsRule, Traffic] {
        for direction in Direction::ALL {
            assert!(seen.contains(&(direction as u8, reason)), "no {reason} {}", direction.name());
        }
    }
    for (direction, reason) in [(FromVm, EgressDenied), (ToVm, IngressDenied)] {
        assert!(seen.contains(&(direction as u8, reason)), "no {reason}");
    }
}
