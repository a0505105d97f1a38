//! A host full of taps.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ipv6_sg_common::mac::Mac;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Traffic, port, within};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};

/// So many taps at once.
const TAPS: u16 = 500;
/// The kernel takes one RCU grace period for each hook, and other tests have the other processor.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn five_hundred_taps_at_once() {
    let hypervisor = Hypervisor::new();
    let vm: Guest = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let neighbour = hypervisor.guest("vm2", NEIGHBOUR_MAC, Ip::Silent);
    let mut state: String = [&vm, &neighbour].map(|guest| port(&guest.port, guest.mac, "")).concat();
    let mut links = String::new();
    for tap in 0..TAPS {
        let [high, low] = tap.to_be_bytes();
        let delegated = format!("delegated = [\"2001:db8:f{tap:03x}::/48\"]");
        state += &port(&format!("tap{tap}"), Mac { octets: [6, 0, 0, 1, high, low] }, &delegated);
        writeln!(links, "tuntap add dev tap{tap} mode tap").expect("a string");
    }
    hypervisor.site.state("10-ports.toml", &state);
    let daemon = hypervisor.daemon();
    let traffic = Traffic::start(&vm, &neighbour);

    let start = Instant::now();
    hypervisor.netns.ip(&links);
    let made = start.elapsed();
    let guarded = || hypervisor.json("status")["guarded"].as_array().expect("a list").len();
    within(PATIENCE, "500 guarded taps", || (guarded() == usize::from(TAPS) + 2).then_some(()));
    println!("{TAPS} taps made in {made:?}, all guarded {:?} after the first was made", start.elapsed());
    daemon.assert_never("ERROR");

    // Those who were there before have not noticed.
    traffic.flow(100);
    let report = traffic.stop();
    report.assert_clean();
    assert_eq!(hypervisor.counters("vm1").from_vm.of(Reason::SourcePrivacy).packets, report.sent);

    // A restart adopts them all without attaching anything.
    let pinned = hypervisor.site.pinned();
    drop(daemon);
    let start = Instant::now();
    let daemon = hypervisor.daemon();
    println!("{} ports adopted in {:?}", TAPS + 2, start.elapsed());
    assert_eq!(hypervisor.site.pinned(), pinned);
    daemon.assert_never("ERROR");
}
