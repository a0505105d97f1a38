//! Real guests behind guarded ports: Linux as it comes, radvd as its router, and everything they honestly say.

use std::fs;
use std::net::{Ipv6Addr, UdpSocket};
use std::time::Duration;

use ipv6_sg_common::abi::{Counters, Direction};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::lab::{BEYOND, Keys, Netns, Pod, Process, address, datagrams, eventually, transfer};
use ipv6_sg_tests::world::{DHCP_AGENTS, ROUTER, ROUTER_LINK_LOCAL, UNSPECIFIED, VM, VM_LINK_LOCAL, VM_MAC};

/// A pod whose VMs are guarded against spoofing only; more keys of the first one's port.
fn pod(vm: &str) -> Pod {
    Pod::new(Keys { vm, ..Keys::default() })
}

/// What passed, for messages.
fn passed(counters: &Counters) -> Vec<String> {
    let all = Direction::ALL.into_iter().flat_map(|direction| Reason::ALL.map(|reason| (direction, reason)));
    let passed = all.filter(|(_, reason)| reason.action() == Action::Pass);
    let counts = passed.map(|(direction, reason)| {
        format!("{} {reason} {}", direction.name(), counters.direction(direction).of(reason).packets)
    });
    counts.filter(|line| !line.ends_with(" 0")).collect()
}

#[track_caller]
fn ping(from: &Netns, words: &str) -> String {
    let line = format!("ping -6 -n -c 2 -i 0.05 -W 5 {words}");
    from.run(&line)
}

#[test]
fn a_guest_configures_itself_as_eui64_says() {
    let pod = pod("");
    // Written out in `world`, computed by the shared crate, formed by the guest's kernel: three times the same.
    let prefix = Address::from(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0));
    assert_eq!(eui64::slaac(prefix, VM_MAC).to_ip(), VM);
    // A busy guest may be done with the address that it formed later before it is with the first.
    eventually("both addresses", || (pod.vm.has(VM) && pod.vm.has(VM_LINK_LOCAL)).then_some(()));
    let addresses = pod.vm.netns.run("ip -6 -o addr show dev eth0");
    assert_eq!(addresses.matches("inet6").count(), 2, "{addresses}");
    assert!(addresses.contains(&format!("{VM}/64")) && addresses.contains(&format!("{VM_LINK_LOCAL}/64")));
    assert!(!addresses.contains("dadfailed") && !addresses.contains("tentative"), "{addresses}");

    // Each step of it crossed the port under its own name.
    let counters = pod.hypervisor.counters("vm1");
    let steps = [
        (Direction::FromVm, Reason::NeighbourSolicitation),
        (Direction::FromVm, Reason::Mld),
        (Direction::FromVm, Reason::RouterSolicitation),
        (Direction::ToVm, Reason::RouterAdvertisement),
    ];
    for (direction, reason) in steps {
        let seen = counters.direction(direction).of(reason).packets;
        assert!(seen > 0, "no {reason} {}: {:?}", direction.name(), passed(&counters));
    }
    pod.assert_nothing_dropped();
}

#[test]
fn guests_reach_each_other_and_the_world() {
    let pod = pod("");
    let (vm, neighbour) = (&pod.vm.netns, &pod.neighbour.netns);
    let other = address(&pod.neighbour);
    ping(vm, &ROUTER.to_string());
    ping(vm, &format!("{ROUTER_LINK_LOCAL}%eth0"));
    ping(vm, &other.to_string());
    ping(vm, &BEYOND.to_string());
    ping(neighbour, &VM.to_string());
    ping(neighbour, &format!("{VM_LINK_LOCAL}%eth0"));
    ping(&pod.router.netns, &VM.to_string());
    ping(&pod.router.netns, &format!("{VM_LINK_LOCAL}%eth0"));
    ping(&pod.beyond, &VM.to_string());
    let echo = |direction| pod.count("vm1", direction, Reason::Echo);
    assert_eq!((echo(Direction::FromVm), echo(Direction::ToVm)), (18, 18));

    transfer(neighbour, other, vm, 8 << 20);
    transfer(vm, VM, neighbour, 1 << 20);
    assert!(pod.count("vm1", Direction::FromVm, Reason::Traffic) > 0);
    assert!(pod.count("vm2", Direction::ToVm, Reason::Traffic) > 0);

    // 8000 bytes are six fragments, and nobody reassembles in between.
    let before = pod.count("vm2", Direction::ToVm, Reason::Fragment);
    datagrams(neighbour, other, vm, 20, 8000);
    eventually("counts", || (pod.count("vm2", Direction::ToVm, Reason::Fragment) >= before + 100).then_some(()));
    pod.assert_nothing_dropped();
}

#[test]
fn errors_find_their_way_back() {
    let pod = pod("");
    let errors = || pod.count("vm1", Direction::ToVm, Reason::IcmpError);

    // Hop limit exceeded at the router: what traceroute lives on.
    let line = format!("ping -6 -n -c 1 -t 1 -W 5 {BEYOND}");
    let mut words = line.split_whitespace();
    let out = pod.vm.netns.command(words.next().expect("ping")).args(words).output().expect("ping runs");
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(text.contains("Time exceeded"), "{text}");
    assert_eq!(errors(), 1);

    // Packet too big: TCP sends 1500 bytes at first, and gets through only by hearing of 1280.
    transfer(&pod.beyond, BEYOND, &pod.vm.netns, 1 << 20);
    assert!(errors() > 1, "{:?}", passed(&pod.hypervisor.counters("vm1")));
    let route = pod.vm.netns.run(&format!("ip -6 route get {BEYOND}"));
    assert!(route.contains("mtu 1280"), "{route}");

    // Port unreachable, from the VM: it quotes what had come to it.
    let (from_vm, refused) = (|| pod.count("vm1", Direction::FromVm, Reason::IcmpError), (VM, 9));
    let before = from_vm();
    pod.neighbour.netns.inside(|| {
        let socket = UdpSocket::bind((UNSPECIFIED, 0)).expect("a free port");
        socket.connect(refused).expect("an address");
        socket.send(b"anybody?").expect("sent");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        let error = socket.recv(&mut [0; 8]).expect_err("nobody listens");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    });
    assert_eq!(from_vm(), before + 1);
    pod.assert_nothing_dropped();
}

#[test]
fn a_dhcpv6_clients_solicit_leaves() {
    let pod = pod("");
    let (wire, overhears) = (pod.router.wire(), pod.neighbour.wire());
    let [leases, pid, config] = ["dhclient.leases", "dhclient.pid", "dhclient.conf"].map(|name| pod.path(name));
    fs::write(&config, "").expect("our own directory");
    let mut dhclient = pod.vm.netns.command("dhclient");
    dhclient.args(["-6", "-P", "-d", "-sf", "/bin/true", "-lf"]).arg(&leases).arg("-pf").arg(&pid);
    let mut dhclient = Process::start({
        dhclient.arg("-cf").arg(&config).arg("eth0");
        dhclient
    });
    // Where it does not, what it says instead is shown.
    dhclient.wait_for("XMT: Solicit");
    let solicit = |frame: &[u8]| {
        let udp = frame.get(14 + 40..);
        frame.get(14 + 6) == Some(&17)
            && udp.is_some_and(|udp| udp.starts_with(&[546_u16, 547].map(u16::to_be_bytes).concat()))
    };
    let seen = wire.until("a Solicit", solicit);
    let frame = seen.last().expect("the Solicit");
    assert_eq!(frame[22..38], VM_LINK_LOCAL.octets());
    assert_eq!(frame[38..54], DHCP_AGENTS.octets());
    assert_eq!(frame[62], 1, "not a Solicit");
    assert!(pod.count("vm1", Direction::FromVm, Reason::Dhcpv6) > 0);
    // The group reaches every port of the bridge, and no VM is told what another one asks.
    eventually("a drop", || (pod.count("vm2", Direction::ToVm, Reason::LinkLocalTraffic) > 0).then_some(()));
    assert!(!overhears.drain().iter().any(|frame| solicit(frame)), "the neighbour got the Solicit");
    let dropped = |reason: &Reason| reason.action() == Action::Drop && pod.count("vm1", Direction::FromVm, *reason) > 0;
    assert_eq!(Reason::ALL.into_iter().find(dropped), None);
}

#[test]
fn a_delegated_prefix_is_its_vms_alone() {
    let pod = pod("delegated = [\"2001:db8:f000:10::/60\"]");
    let (own, stolen) = ("2001:db8:f000:1f::1", "2001:db8:f000:1f::2");
    pod.router.netns.ip(&format!("route add 2001:db8:f000:10::/60 via {VM_LINK_LOCAL} dev eth0"));
    pod.vm.netns.ip(&format!("addr add {own}/128 dev lo nodad"));
    ping(&pod.vm.netns, &format!("-I {own} {ROUTER}"));
    ping(&pod.vm.netns, &format!("-I {own} {BEYOND}"));
    ping(&pod.beyond, own);
    pod.assert_nothing_dropped();

    pod.neighbour.netns.ip(&format!("addr add {stolen}/128 dev lo nodad"));
    let wire = pod.router.wire();
    let line = format!("ping -6 -n -c 3 -i 0.05 -W 1 -I {stolen} {ROUTER}");
    assert!(!pod.neighbour.netns.succeeds(&line), "{line}");
    assert_eq!(pod.count("vm2", Direction::FromVm, Reason::SourceSpoofed), 3);
    let arrived = |frame: &Vec<u8>| frame.get(22..38) == Some(&stolen.parse::<Ipv6Addr>().expect("one").octets());
    assert!(!wire.drain().iter().any(arrived), "a stolen address reached the router");
    // The neighbour himself is as reachable as before.
    ping(&pod.beyond, &address(&pod.neighbour).to_string());
}
