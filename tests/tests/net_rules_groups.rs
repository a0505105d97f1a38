//! Two guarded VMs on one host whose rules name groups, and protocols that have no ports.

use std::net::{Ipv6Addr, UdpSocket};

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::{self, Allowed, EgressDenied, Established, IngressDenied};
use ipv6_sg_tests::frame::{Frame, Ipv6, raw, sctp};
use ipv6_sg_tests::lab::{Counts, Guest, Hypervisor, Ip, Keys, Netns, Pod, address, eventually, transfer};
use ipv6_sg_tests::world::{NEIGHBOUR_LINK_LOCAL, NEIGHBOUR_MAC, UNSPECIFIED, VM, VM_MAC};

/// A VM in `app` that may ask one in `db`.
const DB: &str = r#"ingress = [{ protocol = "tcp", ports = "7000", peers = ["group:app"] },
                               { protocol = "udp", ports = "7001", peers = ["group:app"] }]"#;

fn pod(db: &str, app: &str, app_keys: &str) -> Pod {
    Pod::new(Keys {
        vm: "security_groups = [\"db\"]",
        neighbour: &format!("security_groups = [\"app\"]\n{app_keys}"),
        groups: &format!("[security_group.db]\n{db}\n[security_group.app]\n{app}\n"),
    })
}

/// A datagram to a port, from this address or any.
fn send(from: &Netns, source: Ipv6Addr, to: (Ipv6Addr, u16)) {
    let socket = from.inside(|| UdpSocket::bind((source, 0)).expect("a free port"));
    socket.send_to(b"?", to).expect("sent");
}

/// Waits until this is all that was dropped.
#[track_caller]
fn wait_dropped(pod: &Pod, port: &'static str, direction: Direction, reason: Reason, packets: u64) {
    eventually("a drop", || (pod.count(port, direction, reason) >= packets).then_some(()));
    assert_eq!(pod.dropped(), Counts::from([((port, direction, reason), packets)]));
}

#[test]
fn members_of_a_group_reach_each_other_as_its_rules_say() {
    let pod = pod(DB, "", "");
    let (vm, neighbour) = (&pod.vm.netns, &pod.neighbour.netns);
    transfer(vm, VM, neighbour, 1 << 20);
    pod.assert_nothing_dropped();
    let judged = pod.judged();
    let frames = |port, direction| [Allowed, Established].map(|reason| judged.get(&(port, direction, reason)).copied());
    assert_eq!(frames("vm2", FromVm)[0], Some(1));
    assert_eq!(frames("vm2", FromVm), frames("vm1", ToVm));
    assert_eq!(frames("vm1", FromVm)[0], None);
    assert_eq!(frames("vm1", FromVm), frames("vm2", ToVm));
    // Not the other way round, and nobody else.
    send(vm, UNSPECIFIED, (address(&pod.neighbour), 7001));
    wait_dropped(&pod, "vm2", ToVm, IngressDenied, 1);
    send(&pod.beyond, UNSPECIFIED, (VM, 7001));
    eventually("a drop", || (pod.count("vm1", ToVm, IngressDenied) == 1).then_some(()));
    assert_eq!(pod.count("vm1", ToVm, Allowed), 1);
}

#[test]
fn one_side_alone_is_not_enough() {
    // The server lets it in, the client's own rules do not let it out.
    let to_others = r#"egress = [{ protocol = "udp", ports = "7001", peers = ["2001:db8:ffff::/48"] }]"#;
    let pod_of = |db, app| pod(db, app, "");
    let pod = pod_of(DB, to_others);
    send(&pod.neighbour.netns, UNSPECIFIED, (VM, 7001));
    wait_dropped(&pod, "vm2", FromVm, EgressDenied, 1);
    assert_eq!(pod.judged().len(), 1, "{:?}", pod.judged());
    drop(pod);

    // The client's rules let it out, the server's do not let it in.
    let pod = pod_of("", r#"egress = [{ protocol = "udp", ports = "7001", peers = ["group:db"] }]"#);
    send(&pod.neighbour.netns, UNSPECIFIED, (VM, 7001));
    wait_dropped(&pod, "vm1", ToVm, IngressDenied, 1);
    assert_eq!(pod.count("vm2", FromVm, Allowed), 1);
}

#[test]
fn a_delegated_prefix_is_of_its_vms_group() {
    let pod = pod(DB, "", "delegated = [\"2001:db8:f000:10::/60\"]");
    let (vm, neighbour) = (&pod.vm.netns, &pod.neighbour.netns);
    let own: Ipv6Addr = "2001:db8:f000:1f::1".parse().expect("an address");

    pod.router.netns.ip(&format!("route add 2001:db8:f000:10::/60 via {NEIGHBOUR_LINK_LOCAL} dev eth0"));
    neighbour.ip(&format!("addr add {own}/128 dev lo nodad"));
    let server = vm.inside(|| UdpSocket::bind((VM, 7001)).expect("a free port"));
    let client = neighbour.inside(|| UdpSocket::bind((own, 0)).expect("a free port"));
    for socket in [&server, &client] {
        socket.set_nonblocking(true).expect("a socket");
    }
    client.send_to(b"?", (VM, 7001)).expect("sent");
    let mut bytes = [0; 8];
    let (_, asks) = eventually("a question", || server.recv_from(&mut bytes).ok());
    assert_eq!(asks.ip(), own);
    server.send_to(b"!", asks).expect("sent");
    eventually("an answer", || client.recv(&mut bytes).ok());
    assert_eq!(pod.count("vm1", ToVm, Allowed), 1);
    assert_eq!(pod.count("vm2", ToVm, Established), 1);
    pod.assert_nothing_dropped();
    // Somebody else is still nobody.
    send(&pod.beyond, UNSPECIFIED, (VM, 7001));
    wait_dropped(&pod, "vm1", ToVm, IngressDenied, 1);
}

/// Sends a packet from one guest to the other, and waits until it arrives or is dropped at the port that refuses it.
#[track_caller]
fn cross(hypervisor: &Hypervisor, from: &Guest, to: &Guest, packet: &Ipv6, refused: Option<(&str, Direction, Reason)>) {
    let frame: Frame = packet.ethernet(FromVm).from(from.mac).to(to.mac).build();
    let count = |(port, direction, reason): (&str, Direction, Reason)| {
        hypervisor.counters(port).direction(direction).of(reason).packets
    };
    let (into, before) = (to.wire(), refused.map_or(0, count));
    from.wire().send(&frame);
    match refused {
        None => drop(into.until("the packet", |seen| seen == frame.bytes)),
        Some(place) => {
            eventually("a drop", || (count(place) == before + 1).then_some(()));
            assert_eq!(into.drain(), [[0; 0]; 0]);
        }
    }
}

/// SCTP has ports but no rule can name them; GRE and an unassigned number have none.
#[test]
fn protocols_without_ports_of_their_own_in_rules() {
    let hypervisor = Hypervisor::new();
    let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let neighbour = hypervisor.guest("vm2", NEIGHBOUR_MAC, Ip::Silent);
    let rules = "{ protocol = 132, peers = [\"::/0\"] }, { protocol = 47, peers = [\"::/0\"] }";
    let nothing_else = "egress = [{ protocol = \"tcp\", peers = [\"::/128\"] }]";
    hypervisor.groups(&format!("[security_group.server]\ningress = [{rules}]\n{nothing_else}\n"));
    hypervisor.port("vm1", VM_MAC, "security_groups = [\"server\"]");
    hypervisor.port("vm2", NEIGHBOUR_MAC, "security_groups = []");
    let daemon = hypervisor.daemon();
    let ask = |upper| Ipv6::new(address(&neighbour), address(&vm), upper);
    let answer = |upper| Ipv6::new(address(&vm), address(&neighbour), upper);
    let to_vm = |packet, refused| cross(&hypervisor, &neighbour, &vm, &packet, refused);
    let from_vm = |packet, refused| cross(&hypervisor, &vm, &neighbour, &packet, refused);

    for (question, back) in [(sctp(5000, 36_412), sctp(36_412, 5000)), (raw(47, vec![0; 8]), raw(47, vec![0; 8]))] {
        from_vm(answer(back.clone()), Some(("vm1", FromVm, EgressDenied)));
        to_vm(ask(question.clone()), None);
        from_vm(answer(back.clone()), None);
        to_vm(ask(question), None);
    }
    // Another association is another flow; another protocol has no rule.
    from_vm(answer(sctp(36_412, 5001)), Some(("vm1", FromVm, EgressDenied)));
    to_vm(ask(sctp(5001, 36_412)), None);
    to_vm(ask(raw(50, vec![0; 16])), Some(("vm1", ToVm, IngressDenied)));
    let counted = |port, direction, reason| hypervisor.counters(port).direction(direction).of(reason).packets;
    assert_eq!([Allowed, Established].map(|reason| counted("vm1", ToVm, reason)), [3, 2]);
    assert_eq!([Allowed, Established].map(|reason| counted("vm2", ToVm, reason)), [0, 2]);
    daemon.assert_never("ERROR");
}
