//! A rule that goes while the daemon has its hands full.

use std::fmt::Write as _;
use std::time::Duration;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Ipv6, flags::ACK, tcp};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Leg, Streams, address, eventually, port, within};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};

/// Putting programs on so many taps takes the kernel many seconds.
const TAPS: u16 = 150;
/// Until all of them are guarded.
const PATIENCE: Duration = Duration::from_secs(120);

fn groups(ports: &[&str]) -> String {
    let rules = ports.iter().map(|port| format!("{{ protocol = \"tcp\", ports = \"{port}\", peers = [\"::/0\"] }}"));
    let rules: Vec<_> = rules.collect();
    format!(
        "[security_group.web]\ningress = [{}]\negress = [{{ protocol = 253, peers = [\"::/128\"] }}]\n",
        rules.join(", ")
    )
}

fn asks(client: &Guest, server: &Guest, port: u16) -> Leg {
    let (from, to) = (address(client), address(server));
    Leg::new(client, server, |data| Ipv6::new(from, to, tcp(40_000, port, ACK).data(data)))
}

/// The flow is cut while most of the taps still wait for their programs, and the other one goes on.
#[test]
fn a_flow_is_cut_before_new_taps_are_waited_for() {
    let hypervisor = Hypervisor::new();
    let server = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let client = hypervisor.guest("up0", NEIGHBOUR_MAC, Ip::Silent);
    hypervisor.groups(&groups(&["80", "81"]));
    hypervisor.port("vm1", VM_MAC, "security_groups = [\"web\"]");
    let (mut state, mut links) = (String::new(), String::new());
    for tap in 0..TAPS {
        let [high, low] = tap.to_be_bytes();
        let mac = Mac { octets: [6, 0, 0, 1, high, low] };
        state += &port(&format!("tap{tap}"), mac, "security_groups = [\"web\"]");
        writeln!(links, "tuntap add dev tap{tap} mode tap").expect("a string");
    }
    hypervisor.site.state("10-ports.toml", &state);
    let mut daemon = hypervisor.daemon();
    let streams = Streams::start(vec![asks(&client, &server, 80), asks(&client, &server, 81)]);
    streams.flow(&[0, 1], 50);

    let guarded = || (0..TAPS).filter(|tap| hypervisor.programs(&format!("tap{tap}")) == 2).count();
    let loaded = daemon.lines_with("state loaded").len();
    hypervisor.netns.ip(&links);
    hypervisor.groups(&groups(&["80"]));
    daemon.wait_for_another("state loaded", loaded);
    let denied = || hypervisor.counters("vm1").direction(Direction::ToVm).of(Reason::IngressDenied).packets;
    eventually("a drop", || (denied() > 0).then_some(()));
    let early = guarded();
    assert!(early < usize::from(TAPS), "all taps were guarded first: more of them, or a slower kernel, would tell");
    within(PATIENCE, "guarded taps", || (guarded() == usize::from(TAPS)).then_some(()));
    println!("cut when {early} of {TAPS} new taps were guarded");
    let legs = streams.stop();
    legs[0].assert_whole();
    daemon.assert_never("ERROR");
}
