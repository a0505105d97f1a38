//! The corpus against the verdict core on the host.

use std::collections::{BTreeMap, BTreeSet};

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::packet::IPV6_PAYLOAD;
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::corpus::{self, Section};
use ipv6_sg_tests::frame::Frame;
use ipv6_sg_tests::host::Host;

#[test]
fn every_case() {
    let mut wrong = Vec::new();
    for case in corpus::all() {
        let host = Host::new(case.ports.setup());
        for (step, (frame, expected)) in case.steps.iter().enumerate() {
            let reason = host.judge(case.direction, frame);
            if reason != *expected {
                wrong.push(format!("{} step {step}: {reason}, not {expected}: {frame:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn names_are_unique_and_snake() {
    let mut seen = BTreeSet::new();
    for case in corpus::all() {
        let snake = case.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        assert!(snake, "{} is not in snake case", case.name);
        assert!(seen.insert(case.name.clone()), "two cases are called {}", case.name);
    }
    assert!(seen.len() >= 250, "only {} cases", seen.len());
}

#[test]
fn every_reason_appears() {
    let seen: BTreeSet<_> = corpus::all().into_iter().flat_map(|case| case.steps).map(|(_, reason)| reason).collect();
    let missing: Vec<_> = Reason::ALL.into_iter().filter(|reason| !seen.contains(reason)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// Every row of the policy, in both directions, has something that passes it and something that dies at it.
#[test]
fn every_section_passes_and_drops_both_ways() {
    use {Action::*, Direction::*, Section::*};
    /// Rows that have no such side.
    const NEVER: [(Section, Direction, Action); 8] = [
        (RouterAdvertisement, FromVm, Pass),
        (Redirect, FromVm, Pass),
        (MldQuery, FromVm, Pass),
        (RouterSolicitation, ToVm, Pass),
        (Dhcpv6Server, FromVm, Pass),
        (ForbiddenTypes, FromVm, Pass),
        (ForbiddenTypes, ToVm, Pass),
        (Quarantine, FromVm, Pass),
    ];
    let mut sides: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for case in corpus::all() {
        let passes = case.steps.iter().map(|(_, reason)| reason.action() == Pass);
        sides.entry((case.section, case.direction)).or_default().extend(passes);
    }
    let sections: BTreeSet<_> = sides.keys().map(|(section, _)| *section).collect();
    for section in sections {
        for direction in Direction::ALL {
            for action in [Pass, Drop] {
                let exempt = NEVER.contains(&(section, direction, action));
                let covered = sides.get(&(section, direction)).is_some_and(|seen| seen.contains(&(action == Pass)));
                assert!(covered || exempt, "no case of {section:?} {} {action:?}", direction.name());
            }
        }
    }
}

/// A frame that passes and is cut short, its payload length in agreement, never passes as something else than it was.
#[test]
fn cut_anywhere() {
    for case in corpus::all() {
        let setup = case.ports.setup();
        for (step, (frame, whole)) in case.steps.iter().enumerate() {
            let Some(payload) = frame.bytes.len().checked_sub(IPV6_PAYLOAD) else { continue };
            if whole.action() == Action::Drop || frame.bytes[12..14] != [0x86, 0xdd] {
                continue;
            }
            for length in 0..payload {
                let mut bytes = frame.bytes[..IPV6_PAYLOAD + length].to_vec();
                bytes[18..20].copy_from_slice(&u16::try_from(length).expect("shorter than a frame").to_be_bytes());
                let cut = Frame::new(bytes);
                let host = Host::new(setup.clone());
                for (before, _) in &case.steps[..step] {
                    let _ = host.judge(case.direction, before);
                }
                let reason = host.judge(case.direction, &cut);
                let honest = reason.action() == Action::Drop || reason == *whole;
                assert!(honest, "{} cut to {length} bytes of payload passes as {reason}: {cut:?}", case.name);
            }
        }
    }
}
