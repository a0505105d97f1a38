//! The corpus through a live port.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

use ipv6_sg_common::abi::{CAPTURE, Direction};
use ipv6_sg_common::packet::{ETHERNET_HEADER, Offload};
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::corpus::{self, Case};
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::lab::{LEAST, VnetSocket, eventually};
use ipv6_sg_tests::live::{Live, untagged};

/// Runs one case.
fn check(live: &mut Live, case: &Case) {
    live.object.set(&case.ports.setup());
    for (step, (frame, reason)) in case.steps.iter().enumerate() {
        if frame.bytes.len() < ETHERNET_HEADER {
            // Not even a raw socket sends these.
            assert!(live.vm.try_send(&frame.bytes).is_err(), "{}", case.name);
            continue;
        }
        live.cross(&format!("{} step {step}", case.name), case.direction, frame, *reason);
    }
}

/// Runs one case with every frame made so long that all but its first `linear` bytes lie in pages. The longer frame
/// may come to another verdict, so it is the host core that says which.
fn check_paged(live: &mut Live, case: &Case, sender: &VnetSocket, linear: u16) {
    live.object.set(&case.ports.setup());
    let host = Host::new(case.ports.setup());
    for (step, (frame, _)) in case.steps.iter().enumerate() {
        let beside = frame.tagged_beside || frame.offload != Offload::NONE;
        if beside || frame.bytes.len() < ETHERNET_HEADER || untagged(&frame.bytes) {
            continue;
        }
        let mut frame = frame.clone();
        frame.bytes.resize(PAGED, 0);
        let name = format!("{} step {step} with {linear} bytes not in pages", case.name);
        let reason = host.judge(case.direction, &frame);
        let sent = sender.send_paged(&frame.bytes, linear).map_err(|error| error.raw_os_error());
        let learns = case.direction == Direction::ToVm && reason.action() == Action::Drop;
        assert_eq!(sent, if learns { Err(Some(libc::ENOBUFS)) } else { Ok(()) }, "{name}, {reason}");
        if reason.action() == Action::Drop {
            let event = eventually(&format!("{name}: an event"), || live.object.event());
            assert_eq!(
                (Reason::from_number(event.reason), usize::from(event.captured)),
                (Some(reason), CAPTURE),
                "{name}"
            );
            assert_eq!(event.bytes, frame.bytes[..CAPTURE], "{name}");
        }
        live.expect(&name, case.direction, &frame, reason, PAGED);
    }
}

/// How long frames are made that are to lie in pages.
const PAGED: usize = LEAST + 904;

#[test]
fn from_the_vm() {
    let mut live = Live::open();
    for case in corpus::all().iter().filter(|case| case.direction == Direction::FromVm) {
        check(&mut live, case);
    }
    live.is_quiet();
}

/// Each frame is counted once, by whichever of the two dropped it or by tc when it passed: the reasons are the same.
#[test]
fn from_the_vm_behind_the_shield() {
    let mut live = Live::open().shield();
    for case in corpus::all().iter().filter(|case| case.direction == Direction::FromVm) {
        check(&mut live, case);
    }
    live.is_quiet();
}

#[test]
fn to_the_vm() {
    let mut live = Live::open();
    for case in corpus::all().iter().filter(|case| case.direction == Direction::ToVm) {
        check(&mut live, case);
    }
    live.is_quiet();
}

/// Only the Ethernet header is linear, or the IPv6 header too, or some of what follows: the program has to fetch the
/// rest, and says the same.
#[test]
fn headers_in_pages() {
    let mut live = Live::open();
    let (from_vm, to_vm) =
        (VnetSocket::open(&live.guest.netns, "eth0"), VnetSocket::open(&live.hypervisor.netns, "tap"));
    for case in corpus::all() {
        let sender = if case.direction == Direction::FromVm { &from_vm } else { &to_vm };
        for linear in [14, 54, 62, 81] {
            check_paged(&mut live, &case, sender, linear);
        }
    }
}
