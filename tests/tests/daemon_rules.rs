//! Rules, members, addresses and groups that change under live flows: what no rule allows any more is cut, and nothing
//! else loses a frame.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Ipv6, tcp, udp};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Leg, Streams, address, eventually};
use ipv6_sg_tests::world::{DELEGATED_LAST, NEIGHBOUR_MAC, ROUTER_MAC, VM_MAC};

/// An address that is given to a VM beside its own.
const EXTRA: &str = "2001:db8:abcd::100";
/// Egress that no test sends: so that nothing leaves a VM but answers.
const NOTHING: &str = r#"egress = [{ protocol = 253, peers = ["::/128"] }]"#;
const HTTP: &str = r#"{ protocol = "tcp", ports = "80", peers = ["::/0"] }"#;
const DNS: &str = r#"{ protocol = "udp", ports = "53", peers = ["::/0"] }"#;
/// How many frames make it sure that something flows, or is cut.
const MANY: u64 = 50;

/// Two silent guests behind ports, and one that nobody guards.
struct Stage {
    vm: Guest,
    server: Guest,
    client: Guest,
    hypervisor: Hypervisor,
}

impl Stage {
    fn new() -> Self {
        let hypervisor = Hypervisor::new();
        let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        let server = hypervisor.guest("vm2", NEIGHBOUR_MAC, Ip::Silent);
        let client = hypervisor.guest("up0", ROUTER_MAC, Ip::Silent);
        hypervisor.port("vm1", VM_MAC, "");
        Self { vm, server, client, hypervisor }
    }

    fn server(&self, keys: &str) {
        self.hypervisor.port("vm2", NEIGHBOUR_MAC, keys);
    }

    fn count(&self, port: &str, direction: Direction, reason: Reason) -> u64 {
        self.hypervisor.counters(port).direction(direction).of(reason).packets
    }

    /// What entered the server by the rules.
    fn entered(&self) -> [u64; 2] {
        [Reason::Allowed, Reason::Established].map(|reason| self.count("vm2", Direction::ToVm, reason))
    }

    /// Waits until frames are dropped for this.
    #[track_caller]
    fn wait_cut(&self, port: &str, direction: Direction, reason: Reason) {
        let before = self.count(port, direction, reason);
        eventually("drops", || (self.count(port, direction, reason) >= before + MANY).then_some(()));
    }
}

/// Segments from the middle of a connection.
fn segments(from: &Guest, to: &Guest, ports: (u16, u16)) -> Leg {
    Leg::new(from, to, |data| Ipv6::new(address(from), address(to), tcp(ports.0, ports.1, 0x10).data(data)))
}

fn datagrams(from: &Guest, to: &Guest, ports: (u16, u16)) -> Leg {
    datagrams_from(address(from), from, to, ports)
}

fn datagrams_from(source: Ipv6Addr, from: &Guest, to: &Guest, ports: (u16, u16)) -> Leg {
    Leg::new(from, to, |data| Ipv6::new(source, address(to), udp(ports.0, ports.1, data)))
}

fn group(name: &str, ingress: &[&str], more: &str) -> String {
    format!("[security_group.{name}]\ningress = [{}]\n{more}\n", ingress.join(", "))
}

#[test]
fn a_removed_rule_cuts_its_flows_alone() {
    let stage = Stage::new();
    let both = group("web", &[HTTP, DNS], NOTHING);
    stage.hypervisor.groups(&both);
    stage.server("security_groups = [\"web\"]");
    let daemon = stage.hypervisor.daemon();
    let (client, server) = (&stage.client, &stage.server);
    let streams = Streams::start(vec![
        segments(client, server, (40_000, 80)),
        segments(server, client, (80, 40_000)).answers(0),
        datagrams(client, server, (40_001, 53)),
        datagrams(server, client, (53, 40_001)).answers(2),
    ]);
    for _ in 0..3 {
        streams.flow(&[0, 1, 2, 3], MANY);
        stage.hypervisor.groups(&group("web", &[DNS], NOTHING));
        stage.wait_cut("vm2", Direction::ToVm, Reason::IngressDenied);
        stage.wait_cut("vm2", Direction::FromVm, Reason::EgressDenied);
        streams.flow(&[2, 3], MANY);
        stage.hypervisor.groups(&both);
    }
    streams.flow(&[0, 1, 2, 3], MANY);

    let legs = streams.stop();
    legs[2].assert_whole();
    legs[3].assert_whole();
    // Both ends of the connection, each time at once, and as whole as before when it is given back.
    legs[0].assert_cut(3);
    legs[1].assert_cut(3);
    assert_eq!(stage.count("vm2", Direction::ToVm, Reason::IngressDenied), legs[0].missing());
    assert_eq!(stage.count("vm2", Direction::FromVm, Reason::EgressDenied), legs[1].missing());
    // What comes back is still the flow that it was.
    assert_eq!(stage.entered(), [2, legs[0].arrived() + legs[2].arrived() - 2]);
    let left = stage.count("vm2", Direction::FromVm, Reason::Established);
    assert_eq!(left, legs[1].arrived() + legs[3].arrived());
    daemon.assert_never("ERROR");
}

/// By its own port's state, which changes what another port's rules mean, and by the group's list.
#[test]
fn a_member_that_goes_takes_its_flows_along() {
    let stage = Stage::new();
    let (vm, server, client) = (&stage.vm, &stage.server, &stage.client);
    let http = r#"{ protocol = "tcp", ports = "80", peers = ["group:app"] }"#;
    let groups = |member: Ipv6Addr| {
        let app = group("app", &[], &format!("members = [\"{member}/128\"]"));
        group("web", &[http], NOTHING) + &app + &group("other", &[], "")
    };
    let (listed, unlisted) = (groups(address(client)), groups("2001:db8:5::1".parse().expect("an address")));
    stage.hypervisor.groups(&listed);
    stage.server("security_groups = [\"web\"]");
    let port = |groups: &str| stage.hypervisor.port("vm1", VM_MAC, &format!("security_groups = [\"{groups}\"]"));
    port("app");
    let daemon = stage.hypervisor.daemon();
    let streams = Streams::start(vec![segments(vm, server, (40_000, 80)), segments(client, server, (40_001, 80))]);
    streams.flow(&[0, 1], MANY);

    port("other");
    stage.wait_cut("vm2", Direction::ToVm, Reason::IngressDenied);
    streams.flow(&[1], MANY);
    port("app");
    streams.flow(&[0, 1], MANY);
    let first = stage.count("vm2", Direction::ToVm, Reason::IngressDenied);

    stage.hypervisor.groups(&unlisted);
    stage.wait_cut("vm2", Direction::ToVm, Reason::IngressDenied);
    streams.flow(&[0], MANY);
    stage.hypervisor.groups(&listed);
    streams.flow(&[0, 1], MANY);

    let legs = streams.stop();
    legs[0].assert_cut(1);
    legs[1].assert_cut(1);
    assert_eq!(legs[0].missing(), first);
    assert_eq!(stage.count("vm2", Direction::ToVm, Reason::IngressDenied), first + legs[1].missing());
    assert_eq!(stage.entered(), [2, legs[0].arrived() + legs[1].arrived() - 2]);
    daemon.assert_never("ERROR");
}

#[test]
fn an_address_that_goes_takes_its_flows_along() {
    let stage = Stage::new();
    let (vm, client) = (&stage.vm, &stage.client);
    let extra: Ipv6Addr = EXTRA.parse().expect("an address");
    let (address_key, delegated_key) =
        (format!("addresses = [\"{EXTRA}\"]"), "delegated = [\"2001:db8:f000:10::/60\"]");
    let keys = |keys: &[&str]| {
        let port = [&["security_groups = []"], keys].concat().join("\n");
        stage.hypervisor.port("vm1", VM_MAC, &port);
    };
    keys(&[&address_key, delegated_key]);
    let daemon = stage.hypervisor.daemon();
    // The VM asks from each of its addresses; answers come in only as parts of these flows.
    let answer =
        |to: Ipv6Addr, port| Leg::new(client, vm, move |data| Ipv6::new(address(client), to, udp(53, port, data)));
    let streams = Streams::start(vec![
        datagrams(vm, client, (40_000, 53)),
        answer(address(vm), 40_000).answers(0),
        datagrams_from(extra, vm, client, (40_001, 53)),
        answer(extra, 40_001).answers(2),
        datagrams_from(DELEGATED_LAST, vm, client, (40_002, 53)),
        answer(DELEGATED_LAST, 40_002).answers(4),
    ]);
    let all = [0, 1, 2, 3, 4, 5];
    streams.flow(&all, MANY);

    keys(&[delegated_key]);
    stage.wait_cut("vm1", Direction::FromVm, Reason::SourceSpoofed);
    stage.wait_cut("vm1", Direction::ToVm, Reason::NotForThisVm);
    streams.flow(&[0, 1, 4, 5], MANY);
    keys(&[&address_key, delegated_key]);
    streams.flow(&all, MANY);
    keys(&[&address_key]);
    stage.wait_cut("vm1", Direction::FromVm, Reason::SourceSpoofed);
    stage.wait_cut("vm1", Direction::ToVm, Reason::NotForThisVm);
    streams.flow(&[0, 1, 2, 3], MANY);
    keys(&[&address_key, delegated_key]);
    streams.flow(&all, MANY);

    let legs = streams.stop();
    legs[0].assert_whole();
    legs[1].assert_whole();
    legs[2..].iter().for_each(|leg| leg.assert_cut(1));
    let dropped = |direction, reason| stage.count("vm1", direction, reason);
    assert_eq!(dropped(Direction::FromVm, Reason::SourceSpoofed), legs[2].missing() + legs[4].missing());
    assert_eq!(dropped(Direction::ToVm, Reason::NotForThisVm), legs[3].missing() + legs[5].missing());
    assert_eq!(dropped(Direction::FromVm, Reason::Allowed), 3);
    assert_eq!(dropped(Direction::ToVm, Reason::IngressDenied), 0);
    daemon.assert_never("ERROR");
}

#[test]
fn groups_of_a_port_come_and_go() {
    let stage = Stage::new();
    let (client, server) = (&stage.client, &stage.server);
    stage.hypervisor.groups(&(group("web", &[HTTP], NOTHING) + &group("dns", &[DNS], "")));
    stage.server("");
    let daemon = stage.hypervisor.daemon();
    let streams = Streams::start(vec![segments(client, server, (40_000, 80)), datagrams(client, server, (40_001, 53))]);
    let denied = || stage.count("vm2", Direction::ToVm, Reason::IngressDenied);
    // Without the key there are no rules.
    streams.flow(&[0, 1], MANY);
    assert_eq!((stage.entered(), denied()), ([0, 0], 0));

    stage.server("security_groups = [\"web\"]");
    stage.wait_cut("vm2", Direction::ToVm, Reason::IngressDenied);
    streams.flow(&[0], MANY);
    stage.server("security_groups = [\"dns\", \"web\"]");
    streams.flow(&[0, 1], MANY);
    stage.server("");
    let passed = || stage.count("vm2", Direction::ToVm, Reason::Traffic);
    let before = passed();
    eventually("no rules", || (passed() > before + MANY).then_some(()));
    streams.flow(&[0, 1], MANY);
    stage.server("security_groups = [\"dns\", \"web\"]");
    let before = stage.entered()[1];
    eventually("rules again", || (stage.entered()[1] > before + MANY).then_some(()));
    // An empty list lets nothing in.
    let only_dns = denied();
    stage.server("security_groups = []");
    eventually("both cut", || (denied() > only_dns + 2 * MANY).then_some(()));
    stage.server("security_groups = [\"web\"]");
    streams.flow(&[0], MANY);

    let legs = streams.stop();
    legs[0].assert_cut(1);
    legs[1].assert_cut(2);
    assert_eq!(denied(), legs[0].missing() + legs[1].missing());
    let [allowed, established] = stage.entered();
    assert_eq!(passed() + allowed + established, legs[0].arrived() + legs[1].arrived());
    assert_eq!(allowed, 2, "flows that were opened");
    daemon.assert_never("ERROR");
}

/// No flow is known when a port is guarded: what is under way is judged by the rules, and goes on.
#[test]
fn connections_are_older_than_the_guard() {
    let stage = Stage::new();
    let (client, server) = (&stage.client, &stage.server);
    stage.hypervisor.groups(&group("web", &[HTTP], NOTHING));
    stage.server("security_groups = [\"web\"]");
    let streams = Streams::start(vec![
        segments(client, server, (40_000, 80)),
        segments(client, server, (40_001, 81)),
        datagrams(client, server, (40_002, 80)),
    ]);
    streams.flow(&[0, 1, 2], MANY);
    let daemon = stage.hypervisor.daemon();
    stage.wait_cut("vm2", Direction::ToVm, Reason::IngressDenied);
    streams.flow(&[0], MANY);
    let legs = streams.stop();
    legs[0].assert_whole();
    legs[1].assert_cut(1);
    legs[2].assert_cut(1);
    assert_eq!(stage.count("vm2", Direction::ToVm, Reason::IngressDenied), legs[1].missing() + legs[2].missing());
    let [allowed, established] = stage.entered();
    assert_eq!(allowed, 1);
    assert!(established >= MANY && established < legs[0].arrived(), "{established} of {legs:?}");
    daemon.assert_never("ERROR");
}
