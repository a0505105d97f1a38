//! The corpus against the kernel program: verdict, reason, counters and events of every frame.

use std::time::Instant;

use ipv6_sg_common::abi::{Direction, EventBudget, Hook};
use ipv6_sg_common::packet::ETHERNET_HEADER;
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::corpus;
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire as _, udp};
use ipv6_sg_tests::object::{Object, TooShort, counted, runnable, shielded};
use ipv6_sg_tests::world::{Ports, STRANGER, VM};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

#[test]
fn tc() {
    let mut object = Object::load(&Ports::Plain.setup());
    let mut frames = 0;
    for case in corpus::all() {
        object.set(&case.ports.setup());
        for (step, (frame, reason)) in case.steps.iter().enumerate() {
            if !runnable(Hook::Tc, frame) {
                continue;
            }
            object.expect_tc(&format!("{} step {step}", case.name), case.direction, frame, *reason);
            frames += 1;
        }
    }
    assert!(frames >= 250, "only {frames} frames");
}

/// The shield drops what tc would drop and leaves to tc what takes memory; what it passes it does not count.
#[test]
fn xdp() {
    let mut object = Object::load(&Ports::Plain.setup());
    let mut frames = 0;
    for case in corpus::all().into_iter().filter(|case| case.direction == Direction::FromVm) {
        let setup = case.ports.setup();
        object.set(&setup);
        for (step, (frame, reason)) in case.steps.iter().enumerate() {
            if !runnable(Hook::Xdp, frame) {
                continue;
            }
            let name = format!("{} step {step}", case.name);
            let expected = shielded(&setup, *reason);
            let before = object.counters();
            let action = object.xdp(frame).expect("not too short");
            assert_eq!(action, expected, "{name}, {reason}: {frame:?}");
            let after = object.counters();
            match action {
                Action::Drop => {
                    assert_eq!(after, counted(before, case.direction, *reason, frame.bytes.len()), "{name}: {frame:?}");
                    object.expect_event(&name, Hook::Xdp, case.direction, *reason, frame);
                }
                Action::Pass => assert_eq!(after, before, "{name}"),
            }
            frames += 1;
        }
    }
    assert!(frames >= 125, "only {frames} frames");
}

/// The kernel itself refuses to run a program without a whole Ethernet header, and nothing is counted. Older ones run the
/// shield all the same: it finds the frame truncated.
#[test]
fn runts_go_nowhere() {
    let object = Object::load(&Ports::Plain.setup());
    let mut wanted = object.counters();
    for length in 0..ETHERNET_HEADER {
        let runt = Frame::new(vec![0; length]);
        for direction in Direction::ALL {
            assert_eq!(object.tc(direction, &runt), Err(TooShort), "{length} bytes");
        }
        match object.xdp(&runt) {
            Err(TooShort) => {}
            Ok(action) => {
                assert_eq!(action, Action::Drop, "{length} bytes");
                wanted = counted(wanted, Direction::FromVm, Reason::FrameTruncated, length);
            }
        }
        assert_eq!(object.counters(), wanted, "{length} bytes");
    }
}

/// One burst for a port, however many CPUs and directions its drops come from.
#[test]
fn events_are_limited_by_port() {
    const DROPS: u64 = 400;
    let mut object = Object::load(&Ports::Quarantined.setup());
    let frame = Ipv6::new(VM, STRANGER, udp(4000, 53, b"..")).frame(Direction::FromVm);
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("our own affinity");
    let start = Instant::now();
    let (mut drops, mut events) = (0, 0);
    for cpu in (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).expect("in range")).take(2) {
        let mut only = CpuSet::new();
        only.set(cpu).expect("in range");
        sched_setaffinity(Pid::from_raw(0), &only).expect("an allowed CPU");
        for direction in Direction::ALL {
            for _ in 0..DROPS {
                assert_eq!(object.tc(direction, &frame), Ok(Action::Drop));
                drops += 1;
                events += u64::from(object.event().is_some());
            }
        }
    }
    sched_setaffinity(Pid::from_raw(0), &allowed).expect("as it was");
    let trickle = u64::try_from(start.elapsed().as_nanos()).expect("a short test") / EventBudget::INTERVAL_NS + 1;
    assert!((EventBudget::BURST..=EventBudget::BURST + trickle).contains(&events), "{events} events, {trickle} later");
    assert_eq!(object.counters().suppressed, drops - events);
}
