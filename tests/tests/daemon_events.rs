//! More news of interfaces than the daemon can hear.

use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::lab::{Hypervisor, eventually, within};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Less than the daemon's own look around, which comes every half minute whatever happens.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_daemon_that_missed_news_looks_for_itself() {
    let hypervisor = Hypervisor::new();
    for port in ["vm1", "vm2"] {
        hypervisor.port(port, Mac { octets: [6, 0, 0, 0, 2, port.as_bytes()[2]] }, "");
    }
    let mut daemon = hypervisor.daemon();
    // While it stands still, more happens than its socket can hold.
    daemon.signal(Signal::SIGSTOP);
    for round in 0..15 {
        let lines: String = (0..10).map(|tap| format!("tuntap add dev t{round}x{tap} mode tap\n")).collect();
        hypervisor.netns.ip(&lines);
        hypervisor.netns.ip(&lines.replace("add", "del"));
    }
    hypervisor.netns.ip("link add vm1 type veth peer name far1");
    daemon.signal(Signal::SIGCONT);
    daemon.wait_for("netlink socket buffer full");
    let start = Instant::now();
    within(SOON, "a tap whose news was lost", || (hypervisor.programs("vm1") == 2).then_some(()));
    println!("guarded {:?} after the daemon woke", start.elapsed());
    // And it hears what comes after.
    eventually("calm", || (hypervisor.json("status")["guarded"].as_array()?.len() == 1).then_some(()));
    hypervisor.netns.ip("link add vm2 type veth peer name far2");
    within(SOON, "a tap after that", || (hypervisor.programs("vm2") == 2).then_some(()));
    daemon.assert_never("ERROR");
}
