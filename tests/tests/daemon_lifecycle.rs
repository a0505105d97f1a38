//! The daemon ends, in whatever way, and starts again: what is enforced does not notice.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Traffic, eventually, forged, honest};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};
use nix::sys::signal::Signal;

/// A hypervisor with two silent guests that the state knows.
fn hypervisor() -> (Hypervisor, Guest, Guest) {
    let hypervisor = Hypervisor::new();
    let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let neighbour = hypervisor.guest("vm2", NEIGHBOUR_MAC, Ip::Silent);
    hypervisor.ports(&[&vm, &neighbour]);
    (hypervisor, vm, neighbour)
}

/// Sends a forged and an honest frame; only the honest one arrives, and the counters say why.
#[track_caller]
fn assert_guarded(hypervisor: &Hypervisor, from: &Guest, to: &Guest) {
    let count = || {
        let counters = hypervisor.counters(&from.port);
        let from_vm = counters.direction(Direction::FromVm);
        (from_vm.of(Reason::SourcePrivacy).packets, from_vm.of(Reason::Traffic).packets)
    };
    let (dropped, passed) = count();
    let (out, into) = (from.wire(), to.wire());
    let (bad, good) = (forged(from, to, 1), honest(from, to, 2));
    out.send(&bad);
    out.send(&good);
    let seen = into.until("the honest frame", |frame| frame == good.bytes);
    assert!(!seen.contains(&bad.bytes), "the forged frame arrived");
    eventually("counts", || (count() == (dropped + 1, passed + 1)).then_some(()));
}

#[test]
fn enforcement_outlives_the_daemon() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL] {
        let (hypervisor, vm, neighbour) = hypervisor();
        let mut daemon = hypervisor.daemon();
        assert_guarded(&hypervisor, &vm, &neighbour);
        let links = hypervisor.links("vm1");
        daemon.signal(signal);
        let status = daemon.wait();
        assert_eq!(status.success(), signal != Signal::SIGKILL, "{status} after {signal}");
        assert_eq!(hypervisor.links("vm1"), links);
        assert_guarded(&hypervisor, &vm, &neighbour);
        // The socket goes when the daemon had the time; `status` is not fooled by one that stays.
        assert_eq!(hypervisor.site.path("run/api.sock").exists(), signal == Signal::SIGKILL);
        assert!(hypervisor.json("status")["daemon"].is_null());
    }
}

#[test]
fn a_restart_adopts_what_is_there() {
    let (hypervisor, vm, neighbour) = hypervisor();
    let daemon = hypervisor.daemon();
    assert_guarded(&hypervisor, &vm, &neighbour);
    let (links, pinned, counters) = (hypervisor.links("vm1"), hypervisor.site.pinned(), hypervisor.counters("vm1"));
    drop(daemon);
    let _daemon = hypervisor.daemon();
    // The same links running the same programs: nothing was attached anew.
    hypervisor.assert_adopted("vm1", &links);
    assert_eq!(hypervisor.site.pinned(), pinned);
    let (before, after) = (counters.direction(Direction::FromVm), hypervisor.counters("vm1"));
    assert_eq!(before.of(Reason::SourcePrivacy), after.direction(Direction::FromVm).of(Reason::SourcePrivacy));
    assert_guarded(&hypervisor, &vm, &neighbour);
}

#[test]
fn not_a_packet_is_lost_or_leaked_across_kills_and_restarts() {
    let (hypervisor, vm, neighbour) = hypervisor();
    let mut daemon = hypervisor.daemon();
    let links = hypervisor.links("vm1");
    let traffic = Traffic::start(&vm, &neighbour);
    for cycle in 0..6 {
        traffic.flow(200);
        daemon.signal(if cycle % 2 == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
        daemon.wait();
        traffic.flow(50);
        daemon = hypervisor.daemon();
    }
    let report = traffic.stop();
    report.assert_clean();
    let counters = hypervisor.counters("vm1");
    assert_eq!(counters.from_vm.of(Reason::SourcePrivacy).packets, report.sent);
    assert_eq!(counters.from_vm.of(Reason::Traffic).packets, report.sent);
    hypervisor.assert_adopted("vm1", &links);
    println!("{} honest and as many forged frames across 6 restarts", report.sent);
}

/// What the state says no more is released at the next start; what it still says is adopted.
#[test]
fn a_restart_follows_what_changed_meanwhile() {
    let (hypervisor, vm, neighbour) = hypervisor();
    drop(hypervisor.daemon());
    let links = hypervisor.links("vm2");
    hypervisor.ports(&[&neighbour]);
    hypervisor.site.state("30-more.toml", "[network.other]\nprefixes = []\n");
    let daemon = hypervisor.daemon();
    hypervisor.wait_released("vm1");
    hypervisor.assert_adopted("vm2", &links);
    daemon.assert_never("ERROR");
    // Nobody guards vm1 now: its forged frames leave.
    let (into, bad) = (neighbour.wire(), forged(&vm, &neighbour, 3));
    vm.wire().send(&bad);
    into.until("the frame of a released port", |frame| frame == bad.bytes);
    assert_guarded(&hypervisor, &neighbour, &vm);
}
