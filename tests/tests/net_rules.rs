//! Real traffic through security groups: what a rule allows works as without a guard, both ways, and what none allows does
//! not.

use std::net::{Ipv6Addr, TcpStream, UdpSocket};
use std::time::Duration;

use ipv6_sg_common::abi::Direction::{FromVm, ToVm};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{BEYOND, Counts, Keys, Netns, Pod, Process, address, datagrams, eventually, transfer};
use ipv6_sg_tests::world::{UNSPECIFIED, VM};
use serde_json::Value;

/// Where iperf3 listens in these tests.
const IPERF: &str = "5201";

/// A pod whose first VM has these ingress rules; the second lets nothing in.
fn pod(ingress: &str) -> Pod {
    Pod::new(Keys {
        vm: "security_groups = [\"server\"]",
        neighbour: "security_groups = []",
        groups: &format!("[security_group.server]\ningress = [{ingress}]\n"),
    })
}

/// Runs iperf3 between two namespaces, and returns what the client says when it is done.
#[track_caller]
fn iperf(server: &Netns, address: Ipv6Addr, client: &Netns, words: &str) -> Value {
    let mut listening = Process::start({
        let mut iperf = server.command("iperf3");
        iperf.args(["-6", "--server", "--one-off", "--forceflush", "--port", IPERF]);
        iperf
    });
    listening.wait_for("Server listening");
    let text = client.run(&format!("iperf3 -6 --json --port {IPERF} --client {address} {words}"));
    listening.wait();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Panics unless so many bytes were sent at least, and some received: iperf3 stops to read when all is sent.
#[track_caller]
fn assert_went_through(report: &Value, least: u64) {
    let end = &report["end"];
    let bytes = |kind| end[kind]["bytes"].as_u64().unwrap_or(0);
    assert!(bytes("sum_sent") >= least && bytes("sum_received") > 0, "{end:#}");
}

#[test]
fn bulk_traffic_through_the_rules_that_allow_it() {
    let pod = pod(r#"{ protocol = "tcp", ports = "5201", peers = ["::/0"] },
                     { protocol = "udp", ports = "5201", peers = ["::/0"] }"#);
    let (vm, beyond) = (&pod.vm.netns, &pod.beyond);
    for client in [&pod.neighbour.netns, beyond] {
        for words in ["--bytes 2M", "--bytes 2M --reverse"] {
            assert_went_through(&iperf(vm, VM, client, words), 2 << 20);
        }
        for words in ["--udp --bitrate 20M --bytes 200K", "--udp --bitrate 20M --bytes 200K --reverse"] {
            assert_went_through(&iperf(vm, VM, client, words), 200 << 10);
        }
    }
    // The VM asks, and needs no rule.
    assert_went_through(&iperf(beyond, BEYOND, vm, "--bytes 2M"), 2 << 20);
    assert_went_through(&iperf(beyond, BEYOND, vm, "--bytes 2M --reverse"), 2 << 20);
    pod.assert_nothing_dropped();

    // A flow each: one of control and one of data, for each of ten runs; the neighbour asked for four of them.
    let judged = pod.judged();
    let opened = |port, direction| judged.get(&(port, direction, Reason::Allowed)).copied().unwrap_or(0);
    assert_eq!([opened("vm1", ToVm), opened("vm1", FromVm)], [16, 4], "{judged:?}");
    assert_eq!([opened("vm2", FromVm), opened("vm2", ToVm)], [8, 0], "{judged:?}");
    assert_eq!(judged.keys().filter(|(_, _, reason)| *reason == Reason::Traffic).count(), 0, "{judged:?}");
}

/// Tries TCP and UDP, and panics unless both die at this port, by the rules.
#[track_caller]
fn assert_refused(pod: &Pod, from: &Netns, (address, number): (Ipv6Addr, u16), port: &str) {
    let before = pod.count(port, ToVm, Reason::IngressDenied);
    let opened = pod.count(port, ToVm, Reason::Allowed);
    let connected = from.inside(|| TcpStream::connect_timeout(&(address, number).into(), Duration::from_millis(200)));
    assert!(connected.is_err(), "port {number} of {address}");
    assert!(pod.count(port, ToVm, Reason::IngressDenied) > before);
    from.inside(|| UdpSocket::bind((UNSPECIFIED, 0)).and_then(|socket| socket.send_to(b"?", (address, number))))
        .expect("sent");
    eventually("a datagram that is dropped", || {
        (pod.count(port, ToVm, Reason::IngressDenied) > before + 1).then_some(())
    });
    assert_eq!(pod.count(port, ToVm, Reason::Allowed), opened);
}

#[test]
fn what_no_rule_allows_is_refused() {
    let pod = pod(r#"{ protocol = "tcp", ports = "7000-7009", peers = ["2001:db8:ffff::/48"] }"#);
    let (vm, neighbour) = (&pod.vm.netns, &pod.neighbour.netns);
    transfer(vm, VM, &pod.beyond, 1 << 20);
    assert_eq!(pod.dropped(), Counts::new());
    // Another port, another protocol, another peer, another VM.
    let refused = |from, to, port| assert_refused(&pod, from, to, port);
    refused(&pod.beyond, (VM, 6999), "vm1");
    refused(&pod.beyond, (VM, 7010), "vm1");
    refused(neighbour, (VM, 7000), "vm1");
    refused(vm, (address(&pod.neighbour), 7000), "vm2");
    refused(&pod.beyond, (address(&pod.neighbour), 7000), "vm2");
    let dropped: Vec<_> = pod.dropped().into_keys().collect();
    assert_eq!(dropped, [("vm1", ToVm, Reason::IngressDenied), ("vm2", ToVm, Reason::IngressDenied)]);
    // What the VM asks for itself comes, from the same peers.
    transfer(&pod.beyond, BEYOND, vm, 1 << 20);
    pod.daemon.assert_never("ERROR");
}

#[test]
fn large_datagrams_in_fragments() {
    let pod = pod(r#"{ protocol = "udp", ports = "7001", peers = ["::/0"] }"#);
    let (vm, neighbour, beyond) = (&pod.vm.netns, &pod.neighbour.netns, &pod.beyond);
    // Of 8000 bytes, on a link of 1500: six fragments, of which five follow.
    datagrams(vm, VM, neighbour, 10, 8000);
    assert_eq!(pod.count("vm1", ToVm, Reason::Fragment), 50);
    assert_eq!(pod.count("vm2", FromVm, Reason::Fragment), 50);
    // One flow, and its first fragments are packets of it.
    let judged =
        |port, direction| [Reason::Allowed, Reason::Established].map(|reason| pod.count(port, direction, reason));
    assert_eq!([judged("vm1", ToVm), judged("vm2", FromVm)], [[1, 9], [1, 9]]);
    // Seven, where the link has 1280.
    datagrams(vm, VM, beyond, 10, 8000);
    assert_eq!(pod.count("vm1", ToVm, Reason::Fragment), 110);
    // The VM's own, to the world; what is too big at first is sent again by nobody, so small ones teach it the way.
    eventually("a path of 1280 bytes", || {
        pod.vm.netns.succeeds(&format!("ping -6 -c 1 -W 1 -s 1300 {BEYOND}")).then_some(())
    });
    datagrams(beyond, BEYOND, vm, 10, 8000);
    assert!(pod.count("vm1", FromVm, Reason::Fragment) >= 60);
    pod.assert_nothing_dropped();

    // Refused with its first fragment; the others are of a packet that nobody knows.
    let socket = neighbour.inside(|| UdpSocket::bind((UNSPECIFIED, 0)).expect("a free port"));
    socket.send_to(&[0; 8000], (VM, 7002)).expect("sent");
    eventually("six drops", || (pod.count("vm1", ToVm, Reason::FragmentUnknown) == 5).then_some(()));
    let dropped = [(("vm1", ToVm, Reason::FragmentUnknown), 5), (("vm1", ToVm, Reason::IngressDenied), 1)];
    assert_eq!(pod.dropped(), Counts::from(dropped));
}
