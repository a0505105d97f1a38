//! Rules in the kernel that somebody else changed: what is damaged lets less pass, never more, until the daemon looks again.

use ipv6_sg_common::abi::{Direction, maps};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Ipv6, tcp};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Leg, Process, Streams, address, bytes, eventually, hex, key};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};
use nix::sys::signal::Signal;

/// How many frames make it sure that something flows, or is cut.
const MANY: u64 = 50;

/// A server whose port 80 may be asked, and a client that nobody guards.
struct Stage {
    server: Guest,
    client: Guest,
    hypervisor: Hypervisor,
    daemon: Process,
}

fn groups(ports: &str) -> String {
    let rule = format!("{{ protocol = \"tcp\", ports = \"{ports}\", peers = [\"2001:db8:100::/64\"] }}");
    let egress = "egress = [{ protocol = 253, peers = [\"::/128\"] }]";
    format!("[security_group.web]\ningress = [{rule}]\n{egress}\n")
}

impl Stage {
    fn new() -> Self {
        let hypervisor = Hypervisor::new();
        let server = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        let client = hypervisor.guest("up0", NEIGHBOUR_MAC, Ip::Silent);
        hypervisor.groups(&groups("80-89"));
        hypervisor.port("vm1", VM_MAC, "security_groups = [\"web\"]");
        let daemon = hypervisor.daemon();
        let stage = Self { server, client, hypervisor, daemon };
        // Flows are put to the rules once more after the first round: none would go on without what a test takes away.
        eventually("flows that are left alone", || (stage.generation() == 2).then_some(()));
        stage
    }

    /// Segments of a connection to this port.
    fn asks(&self, port: u16) -> Leg {
        let (from, to) = (address(&self.client), address(&self.server));
        Leg::new(&self.client, &self.server, |data| Ipv6::new(from, to, tcp(40_000, port, 0x10).data(data)))
    }

    fn count(&self, reason: Reason) -> u64 {
        self.hypervisor.counters("vm1").direction(Direction::ToVm).of(reason).packets
    }

    #[track_caller]
    fn wait_denied(&self) {
        let before = self.count(Reason::IngressDenied);
        eventually("drops", || (self.count(Reason::IngressDenied) >= before + MANY).then_some(()));
    }

    /// Empties a map.
    fn empty(&self, map: &str) {
        let dump = self.hypervisor.bpftool("dump", map, "");
        let keys: Vec<_> = dump.as_array().expect("a list").iter().map(|entry| bytes(&entry["key"])).collect();
        assert!(!keys.is_empty(), "nothing to damage in {map}");
        for of in keys {
            self.hypervisor.bpftool("delete", map, &hex("key", &of));
        }
    }

    fn generation(&self) -> u32 {
        let found = self.hypervisor.bpftool("lookup", maps::POLICY, &key(0));
        u32::from_ne_bytes(bytes(&found["value"]).try_into().expect("four bytes"))
    }

    fn set_generation(&self, generation: u32) {
        let value = hex("value", &generation.to_ne_bytes());
        self.hypervisor.bpftool("update", maps::POLICY, &format!("{} {value}", key(0)));
    }
}

/// What rules lie in is emptied: flows that are known go on, nothing new is let in, until the daemon is told to look.
#[test]
fn emptied_tables_let_nothing_new_in_and_are_filled_again() {
    for map in [maps::PEERS, maps::SERVICES] {
        let stage = Stage::new();
        let known = Streams::start(vec![stage.asks(80)]);
        known.flow(&[0], MANY);
        stage.empty(map);
        let new = Streams::start(vec![stage.asks(81)]);
        stage.wait_denied();
        known.flow(&[0], MANY);
        assert_eq!(new.arrived(0), 0);
        stage.daemon.signal(Signal::SIGHUP);
        new.flow(&[0], MANY);
        known.flow(&[0], MANY);
        let (known, new) = (known.stop().remove(0), new.stop().remove(0));
        // First, for a frame of the other that is lost was denied too, or is the machine's fault.
        assert_eq!(stage.count(Reason::IngressDenied), new.missing(), "{map}");
        known.assert_whole();
        new.assert_cut(1);
        assert_eq!(stage.count(Reason::Allowed), 2, "{map}");
        stage.daemon.assert_never("ERROR");
    }
}

/// Emptied, and a flow is put to the rules before they are back: it is cut as long, and goes on then.
#[test]
fn flows_put_to_emptied_tables_wait_for_them() {
    let stage = Stage::new();
    let streams = Streams::start(vec![stage.asks(80)]);
    streams.flow(&[0], MANY);
    stage.empty(maps::PEERS);
    stage.set_generation(stage.generation() + 1000);
    stage.wait_denied();
    stage.daemon.signal(Signal::SIGHUP);
    streams.flow(&[0], MANY);
    let leg = streams.stop().remove(0);
    leg.assert_cut(1);
    assert_eq!(stage.count(Reason::IngressDenied), leg.missing());
    stage.daemon.assert_never("ERROR");
}

/// Streams to the ports 80 and 81, of which the second was cut, and the generation before that.
fn one_of_two_cut() -> (Stage, Streams, u32) {
    let stage = Stage::new();
    let streams = Streams::start(vec![stage.asks(80), stage.asks(81)]);
    streams.flow(&[0, 1], MANY);
    let before = stage.generation();
    stage.hypervisor.groups(&groups("80"));
    stage.wait_denied();
    (stage, streams, before)
}

/// Whatever the generation is set to: what is allowed goes on, what was taken away stays cut.
#[test]
fn another_generation_asks_the_rules_again() {
    let (stage, streams, before) = one_of_two_cut();
    let after = stage.generation();
    assert_ne!(before, after);
    for generation in [after + 1000, u32::MAX, 0] {
        stage.set_generation(generation);
        stage.wait_denied();
        streams.flow(&[0], MANY);
    }
    // And the daemon goes on from there.
    stage.hypervisor.groups(&groups("80-89"));
    streams.flow(&[0, 1], MANY);
    stage.hypervisor.groups(&groups("80"));
    stage.wait_denied();
    let legs = streams.stop();
    legs[0].assert_whole();
    legs[1].assert_cut(2);
    assert_eq!(stage.count(Reason::IngressDenied), legs[1].missing());
    stage.daemon.assert_never("ERROR");
}

/// What was cut says so itself, whatever somebody makes of the generation.
#[test]
fn a_generation_that_was_set_back_does_not_stay() {
    let (stage, streams, before) = one_of_two_cut();
    stage.set_generation(before);
    stage.wait_denied();
    stage.daemon.signal(Signal::SIGHUP);
    eventually("another generation", || (stage.generation() != before).then_some(()));
    stage.wait_denied();
    let legs = streams.stop();
    legs[0].assert_whole();
    assert_eq!(stage.count(Reason::IngressDenied), legs[1].missing());
    stage.daemon.assert_never("ERROR");
}
