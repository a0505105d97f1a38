//! What people and programs ask of flows on a live port, with and without the daemon.

use std::time::Instant;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::flags::{ACK, SYN};
use ipv6_sg_tests::frame::{Ipv6, icmpv6, tcp, udp};
use ipv6_sg_tests::lab::{Process, Web, eventually, honest, table};
use ipv6_sg_tests::world::{NEIGHBOUR, STRANGER, VM};
use serde_json::{Value, json};

/// SSH from afar, and echo from anywhere.
const WEB: &str = "\
[security_group.web]
ingress = [
  { protocol = \"tcp\", ports = \"22\", peers = [\"2a00:f10:121:b00::/64\"] },
  { protocol = \"icmpv6\", type = 128, peers = [\"::/0\"] },
]
";

/// The stage, and when its port could have seen a first packet.
struct Host {
    web: Web,
    start: Instant,
}

impl Host {
    /// With three flows: a connection from afar, an echo request to the VM, and a datagram from it.
    fn new() -> (Self, Process) {
        let (web, daemon) = Web::new(WEB, "echo = \"rules\"");
        let host = Self { web, start: Instant::now() };
        let web = &host.web;
        // What is refused leaves no flow.
        web.outside.wire().send(&Web::to_vm(Ipv6::new(STRANGER, VM, tcp(50_000, 80, SYN))));
        web.deliver(&Web::to_vm(Ipv6::new(STRANGER, VM, tcp(50_000, 22, SYN))));
        web.emit(&Web::from_vm(Ipv6::new(VM, STRANGER, tcp(22, 50_000, SYN | ACK))));
        web.deliver(&Web::to_vm(Ipv6::new(NEIGHBOUR, VM, icmpv6::echo_request())));
        web.emit(&honest(&web.vm, &web.outside, 0));
        let counts = host.counts();
        assert_eq!((counts.0, counts.1), (3, 1), "allowed and established");
        assert_eq!(host.dropped(Reason::IngressDenied), 1);
        (host, daemon)
    }

    /// How many packets opened a flow, and how many belonged to one.
    fn counts(&self) -> (u64, u64) {
        let counters = self.web.hypervisor.counters("vm1");
        let count = |reason| Direction::ALL.map(|way| counters.direction(way).of(reason).packets).iter().sum();
        (count(Reason::Allowed), count(Reason::Established))
    }

    fn dropped(&self, reason: Reason) -> u64 {
        self.web.hypervisor.counters("vm1").to_vm.of(reason).packets
    }

    /// The flows that `words` show, without their idle times, and without whether they are due: rules are put in force
    /// once more a while after a daemon's start.
    #[track_caller]
    fn flows(&self, words: &str) -> Vec<Value> {
        let Value::Array(mut rows) = self.web.hypervisor.json(&format!("flows {words}")) else { panic!("no list") };
        for row in &mut rows {
            let row = row.as_object_mut().expect("a flow");
            assert!(row.remove("due").is_some_and(|due| due.is_boolean()));
            let idle = row.remove("idle_seconds").and_then(|idle| idle.as_u64()).expect("seconds");
            // The clock is a quarter of a second off at most, and a flow's time is written once a second.
            assert!(idle <= self.start.elapsed().as_secs() + 2, "idle for {idle} s");
        }
        rows
    }
}

#[test]
fn what_a_port_remembers() {
    let (host, daemon) = Host::new();
    drop(daemon);
    let ifindex = host.web.hypervisor.netns.ifindex("vm1");
    let row =
        |protocol: &str, ports: [Option<u16>; 2], peer: String, identifier: Option<u16>, opened: &str, state: &str| {
            json!({
                "interface": "vm1", "ifindex": ifindex, "protocol": protocol, "vm_address": VM.to_string(),
                "vm_port": ports[0],
                "peer_address": peer, "peer_port": ports[1], "identifier": identifier, "opened": opened, "state": state,
                "cut": false
            })
        };
    let echo = row("icmpv6", [None, None], NEIGHBOUR.to_string(), Some(0x1234), "to_vm", "opening");
    let udp = row("udp", [Some(4000), Some(4000)], NEIGHBOUR.to_string(), None, "from_vm", "opening");
    let tcp = row("tcp", [Some(22), Some(50_000)], STRANGER.to_string(), None, "to_vm", "established");
    for words in ["", "vm1"] {
        assert_eq!(host.flows(words), [echo.clone(), udp.clone(), tcp.clone()], "flows {words}");
    }
    assert_eq!(host.flows("vm2"), [Value::Null; 0]);
    for (words, wanted) in [
        ("--protocol udp", vec![&udp]),
        ("--port 22", vec![&tcp]),
        ("vm1 --port 50000 --protocol tcp", vec![&tcp]),
        ("--state established", vec![&tcp]),
        ("--peer 2001:db8::/32", vec![&echo, &udp]),
        ("--peer 2001:db8::/32 --state closing", vec![]),
    ] {
        assert_eq!(host.flows(words).iter().collect::<Vec<_>>(), wanted, "flows {words}");
    }

    let text = host.web.hypervisor.ask("flows");
    let rows = table(&text);
    let headings = ["INTERFACE", "PROTOCOL", "VM ADDRESS", "PEER ADDRESS", "OPENED", "STATE", "IDLE", "RULES"];
    assert_eq!(rows[0], headings);
    assert_eq!(rows[1][1..6], ["icmpv6 echo 4660", &VM.to_string(), &NEIGHBOUR.to_string(), "to_vm", "opening"]);
    assert_eq!(rows[3][2..4], [format!("{VM}.22"), format!("{STRANGER}.50000")]);
    assert!(["current", "due"].contains(&rows[3][7]), "{text}");
    assert_eq!(rows[4], ["vm2: no rules apply, so no flows are tracked"]);

    let count = json!({
        "interface": "vm1", "ifindex": ifindex, "has_rules": true, "opening": 2, "established": 1, "closing": 0,
        "cut": 0, "total": 3, "most": 16_384
    });
    assert_eq!(host.web.hypervisor.json("flows vm1 --count"), json!([count]));
    let text = host.web.hypervisor.ask("flows --count --protocol tcp");
    let rows = table(&text);
    assert_eq!(rows[0], ["INTERFACE", "OPENING", "ESTABLISHED", "CLOSING", "CUT", "TOTAL", "MOST"]);
    assert_eq!(rows[1], ["vm1", "0", "1", "0", "0", "1", "16384"]);
    assert_eq!(rows[2], ["vm2: no rules apply, so no flows are tracked"]);
}

#[test]
fn what_an_operator_lets_a_port_forget() {
    let (host, daemon) = Host::new();
    drop(daemon);
    assert_eq!(host.web.hypervisor.ask("flows flush --protocol tcp --port 80"), "0 flows forgotten\n");
    assert_eq!(host.web.hypervisor.ask("flows flush vm2"), "0 flows forgotten\n");
    assert_eq!(host.flows("").len(), 3);
    assert_eq!(host.web.hypervisor.ask("flows flush --protocol tcp"), "vm1: 1 flow forgotten\n");
    assert_eq!(host.flows("").len(), 2);
    // The rules are asked about its next packet, and still allow it.
    host.web.deliver(&Web::to_vm(Ipv6::new(STRANGER, VM, tcp(50_000, 22, ACK))));
    assert_eq!(host.counts(), (4, 1));
    assert_eq!(host.flows("--protocol tcp")[0]["state"], "opening");
    // What only the VM's side may begin is cut until the VM goes on with it.
    assert_eq!(host.web.hypervisor.ask("flows flush vm1"), "vm1: 3 flows forgotten\n");
    let ifindex = host.web.hypervisor.netns.ifindex("vm1");
    let nothing = json!([{ "interface": "vm1", "ifindex": ifindex, "forgotten": 0 }]);
    assert_eq!(host.web.hypervisor.json("flows flush vm1"), nothing);
    let answer = Ipv6::new(NEIGHBOUR, VM, udp(4000, 4000, b"answer"));
    host.web.outside.wire().send(&Web::to_vm(answer.clone()));
    eventually("a refusal", || (host.dropped(Reason::IngressDenied) == 2).then_some(()));
    host.web.emit(&honest(&host.web.vm, &host.web.outside, 1));
    host.web.deliver(&Web::to_vm(answer));
    assert_eq!(host.counts(), (5, 2));
}

#[test]
fn flows_that_are_due() {
    let (host, _daemon) = Host::new();
    let due = |protocol: &str| host.web.hypervisor.json(&format!("flows --protocol {protocol}"))[0]["due"].clone();
    host.web.hypervisor.groups(&WEB.replace("type = 128", "type = 129"));
    let echo = Web::to_vm(Ipv6::new(NEIGHBOUR, VM, icmpv6::echo_request()));
    eventually("a refusal", || {
        host.web.outside.wire().send(&echo);
        (host.dropped(Reason::IngressDenied) > 1).then_some(())
    });
    // The connection is put to the rules by its next packet, and current then: once more when that was while they
    // changed.
    eventually("a flow that is due", || (due("tcp") == json!(true)).then_some(()));
    let text = host.web.hypervisor.ask("flows vm1 --protocol tcp");
    assert_eq!(table(&text)[1][7], "due", "{text}");
    eventually("a current flow", || {
        host.web.deliver(&Web::to_vm(Ipv6::new(STRANGER, VM, tcp(50_000, 22, ACK))));
        (due("tcp") == json!(false)).then_some(())
    });
    // What no rule allows any more is remembered as cut, and asked for as such.
    eventually("a flow that is cut and not put to the rules once more", || {
        host.web.outside.wire().send(&echo);
        let cut = host.web.hypervisor.json("flows vm1 --cut");
        (cut[0]["due"] == json!(false))
            .then(|| assert_eq!((&cut[0]["protocol"], &cut[1]), (&json!("icmpv6"), &Value::Null)))
    });
    let text = host.web.hypervisor.ask("flows vm1 --protocol icmpv6");
    assert_eq!(table(&text)[1][7], "cut", "{text}");
    assert_eq!(host.web.hypervisor.json("flows vm1 --count")[0]["cut"], json!(1));
}

/// More than are read at a time.
#[test]
fn many_flows() {
    let (host, _daemon) = Host::new();
    let (before, _) = host.counts();
    let frame = |port: u16| Web::from_vm(Ipv6::new(VM, NEIGHBOUR, udp(port, 9, b"many")));
    let (out, last) = (host.web.vm.wire(), 9000);
    (1..last).for_each(|port| out.send(&frame(port)));
    host.web.emit(&frame(last));
    let opened = host.counts().0 - before;
    assert!(opened > 8192, "only {opened} datagrams got through");
    let count = host.web.hypervisor.json("flows vm1 --count --peer 2001:db8:100::/64 --port 9");
    assert_eq!((&count[0]["opening"], &count[0]["total"]), (&json!(opened), &json!(opened)));
    assert_eq!(host.web.hypervisor.ask("flows flush --port 9"), format!("vm1: {opened} flows forgotten\n"));
    assert_eq!(host.flows("").len(), 3);
}
