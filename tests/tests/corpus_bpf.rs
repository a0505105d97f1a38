//! The corpus against the kernel program: verdict, reason, counters and events of every frame.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::time::Instant;

use ipv6_sg_common::abi::{CAPTURE, Counters, Direction, DropEvent, EventBudget, Hook};
use ipv6_sg_common::packet::ETHERNET_HEADER;
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::corpus;
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire as _, udp};
use ipv6_sg_tests::object::{LOOPBACK, Object, TooShort, runnable};
use ipv6_sg_tests::world::{Ports, STRANGER, VM};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Counters with this one frame added.
fn counted(mut before: Counters, direction: Direction, reason: Reason, frame: &Frame) -> Counters {
    let count = before.direction_mut(direction).of_mut(reason);
    count.packets += 1;
    count.bytes += frame.bytes.len() as u64;
    before
}

/// Takes the one event there must be after a drop, and compares it with the frame.
fn expect_event(object: &mut Object, name: &str, hook: Hook, direction: Direction, reason: Reason, frame: &Frame) {
    let DropEvent { ifindex, frame_length, captured, bytes, tagged, padding, .. } = {
        let event = object.event().unwrap_or_else(|| panic!("{name}: a drop without an event"));
        assert_eq!(Reason::from_number(event.reason), Some(reason), "{name}");
        assert_eq!(Direction::from_number(event.direction), Some(direction), "{name}");
        assert_eq!(Hook::from_number(event.hook), Some(hook), "{name}");
        event
    };
    assert_eq!((ifindex, tagged, padding), (LOOPBACK, 0, 0), "{name}");
    assert_eq!(frame_length as usize, frame.bytes.len(), "{name}");
    let whole = frame.bytes.len().min(CAPTURE);
    // The shield copies in units of 8.
    let captures = if hook == Hook::Xdp { whole / 8 * 8 } else { whole };
    assert_eq!(usize::from(captured), captures, "{name}");
    assert_eq!(bytes[..captures], frame.bytes[..captures], "{name}");
    assert!(bytes[captures..].iter().all(|byte| *byte == 0), "{name}: bytes that nobody captured");
    assert!(object.event().is_none(), "{name}: two events");
}

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
            let name = format!("{} step {step}", case.name);
            let before = object.counters();
            let action = object.tc(case.direction, frame).expect("not too short");
            let after = object.counters();
            let seen = difference(&before, &after, case.direction);
            assert_eq!(
                after,
                counted(before, case.direction, *reason, frame),
                "{name}: {seen:?}, not {reason}: {frame:?}"
            );
            assert_eq!(action, reason.action(), "{name}: {frame:?}");
            match action {
                Action::Drop => expect_event(&mut object, &name, Hook::Tc, case.direction, *reason, frame),
                Action::Pass => assert_eq!(object.event(), None, "{name}"),
            }
            frames += 1;
        }
    }
    assert!(frames >= 250, "only {frames} frames");
}

/// The reasons whose packet counts differ.
fn difference(before: &Counters, after: &Counters, direction: Direction) -> Vec<Reason> {
    let packets = |counters: &Counters, reason| counters.direction(direction).of(reason).packets;
    Reason::ALL.into_iter().filter(|reason| packets(before, *reason) != packets(after, *reason)).collect()
}

/// The shield drops what tc would drop and leaves to tc what takes memory; what it passes it does not count.
#[test]
fn xdp() {
    let mut object = Object::load(&Ports::Plain.setup());
    let mut frames = 0;
    for case in corpus::all().into_iter().filter(|case| case.direction == Direction::FromVm) {
        object.set(&case.ports.setup());
        for (step, (frame, reason)) in case.steps.iter().enumerate() {
            if !runnable(Hook::Xdp, frame) {
                continue;
            }
            let name = format!("{} step {step}", case.name);
            let left_to_tc = matches!(reason, Reason::FragmentUnknown | Reason::FragmentOverlap);
            let expected = if left_to_tc { Action::Pass } else { reason.action() };
            let before = object.counters();
            let action = object.xdp(frame).expect("not too short");
            assert_eq!(action, expected, "{name}, {reason}: {frame:?}");
            let after = object.counters();
            match action {
                Action::Drop => {
                    assert_eq!(after, counted(before, case.direction, *reason, frame), "{name}: {frame:?}");
                    expect_event(&mut object, &name, Hook::Xdp, case.direction, *reason, frame);
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
                wanted = counted(wanted, Direction::FromVm, Reason::FrameTruncated, &runt);
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
