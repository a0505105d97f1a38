//! Echo by the rules, and errors without any: ping, traceroute, and what fits a path.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd as _;

use ipv6_sg_common::abi::Direction::{FromVm, ToVm};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{BEYOND, Counts, Keys, Netns, Pod, address, eventually, outcome, transfer};
use ipv6_sg_tests::world::{ROUTER, UNSPECIFIED, VM, VM_LINK_LOCAL};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};

/// The first VM has rules for echo, the second is told nothing about it; nothing may enter either.
fn pod() -> Pod {
    Pod::new(Keys {
        vm: "security_groups = [\"closed\"]\necho = \"rules\"",
        neighbour: "security_groups = []",
        groups: CLOSED,
    })
}

const CLOSED: &str = "[security_group.closed]\n";

/// Sends two echo requests; whether an answer came.
fn ping(from: &Netns, to: &str) -> bool {
    from.succeeds(&format!("ping -6 -n -c 2 -i 0.05 -W 1 {to}"))
}

#[test]
fn echo_asks_the_rules_where_it_is_told_to() {
    let pod = pod();
    let (vm, beyond) = (&pod.vm.netns, &pod.beyond);
    let count = |direction, reason| pod.count("vm1", direction, reason);
    // The VM may ask: a flow, and what answers is a part of it.
    assert!(ping(vm, &BEYOND.to_string()));
    assert_eq!([Reason::Allowed, Reason::Established].map(|reason| count(FromVm, reason)), [1, 1]);
    assert_eq!([Reason::Allowed, Reason::Established].map(|reason| count(ToVm, reason)), [0, 2]);
    // It may not be asked.
    assert!(!ping(beyond, &VM.to_string()));
    assert_eq!(pod.dropped(), Counts::from([(("vm1", ToVm, Reason::IngressDenied), 2)]));
    // On the link it may, whatever the rules are.
    assert!(ping(&pod.router.netns, &format!("{VM_LINK_LOCAL}%eth0")));
    assert_eq!((count(ToVm, Reason::Echo), count(FromVm, Reason::Echo)), (2, 2));

    // With a rule it may be asked from there.
    let rule = "{ protocol = \"icmpv6\", type = 128, peers = [\"2001:db8:ffff::/64\"] }";
    pod.hypervisor.groups(&format!("[security_group.closed]\ningress = [{rule}]\n"));
    eventually("an answer", || ping(beyond, &VM.to_string()).then_some(()));
    let denied = count(ToVm, Reason::IngressDenied);
    assert!(!ping(&pod.router.netns, &VM.to_string()));
    assert_eq!(count(ToVm, Reason::IngressDenied), denied + 2);

    // Where nothing is said, echo needs no rule: both ways.
    let other = address(&pod.neighbour).to_string();
    assert!(ping(beyond, &other) && ping(&pod.neighbour.netns, &BEYOND.to_string()));
    assert_eq!([FromVm, ToVm].map(|direction| pod.count("vm2", direction, Reason::Echo)), [4, 4]);
    assert_eq!(pod.count("vm2", FromVm, Reason::Allowed), 0);
    pod.daemon.assert_never("ERROR");
}

/// Who says what about a datagram that got so far.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    who: Ipv6Addr,
    /// Type and code.
    what: (u8, u8),
}

/// A datagram to a port that nobody listens at, which so many may pass on; and who answers.
#[track_caller]
fn probe(from: &Netns, to: Ipv6Addr, hops: i32) -> Answer {
    let socket = from.inside(|| UdpSocket::bind((UNSPECIFIED, 0)).expect("a free port"));
    setsockopt(&socket, sockopt::Ipv6RecvErr, &true).expect("a socket");
    setsockopt(&socket, sockopt::Ipv6Ttl, &hops).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    socket.send_to(b"where?", (to, 33_433 + u16::try_from(hops).expect("small"))).expect("sent");
    eventually("an answer", || error_of(&socket))
}

/// The error that has come, if one has.
fn error_of(socket: &UdpSocket) -> Option<Answer> {
    let mut data = [0; 64];
    let mut buffers = [io::IoSliceMut::new(&mut data)];
    let mut control = nix::cmsg_space!([u8; 256]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut buffers, Some(&mut control), flags).ok()?;
    message.cmsgs().expect("not cut").find_map(|control| match control {
        ControlMessageOwned::Ipv6RecvErr(error, Some(who)) => {
            let who = SocketAddrV6::from(SockaddrIn6::from(who));
            Some(Answer { who: *who.ip(), what: (error.ee_type, error.ee_code) })
        }
        _ => None,
    })
}

#[test]
fn every_hop_of_a_traceroute_answers_without_a_rule() {
    let pod = pod();
    let vm = &pod.vm.netns;
    // By UDP: the router says that the datagram's time is over, whoever is reached that nobody listens.
    assert_eq!(probe(vm, BEYOND, 1), Answer { who: ROUTER, what: (3, 0) });
    assert_eq!(probe(vm, BEYOND, 2), Answer { who: BEYOND, what: (1, 4) });
    assert_eq!(pod.count("vm1", ToVm, Reason::IcmpError), 2);
    assert_eq!(pod.count("vm1", FromVm, Reason::Allowed), 2);
    // By echo.
    let hop =
        |hops| outcome(vm.command("ping").args(["-6", "-n", "-c", "1", "-W", "5", "-t", hops, &BEYOND.to_string()]));
    let (router, end) = (hop("1"), hop("2"));
    assert!(router.out.contains(&format!("From {ROUTER}")) && router.out.contains("Time exceeded"), "{router:?}");
    assert_eq!((router.code, end.code), (Some(1), Some(0)), "{end:?}");
    assert_eq!(pod.count("vm1", ToVm, Reason::IcmpError), 3);
    pod.assert_nothing_dropped();

    // From the world: the VM says nothing where no rule lets the question in, and its own error leaves where one does.
    assert_eq!(probe(&pod.beyond, VM, 1).what, (3, 0));
    let question = || {
        let socket = pod.beyond.inside(|| UdpSocket::bind((UNSPECIFIED, 0)).expect("a free port"));
        socket.send_to(b"where?", (VM, 33_434)).expect("sent");
    };
    question();
    eventually("a drop", || (pod.count("vm1", ToVm, Reason::IngressDenied) == 1).then_some(()));
    assert_eq!(pod.count("vm1", FromVm, Reason::IcmpError), 0);
    let rule = "{ protocol = \"udp\", ports = \"33434-33523\", peers = [\"::/0\"] }";
    pod.hypervisor.groups(&format!("[security_group.closed]\ningress = [{rule}]\n"));
    eventually("the rule", || {
        question();
        (pod.count("vm1", ToVm, Reason::Allowed) > 0).then_some(())
    });
    assert_eq!(probe(&pod.beyond, VM, 2), Answer { who: VM, what: (1, 4) });
    assert!(pod.count("vm1", FromVm, Reason::IcmpError) > 0);
}

#[test]
fn a_smaller_link_is_heard_of_without_a_rule() {
    let pod = pod();
    let (vm, neighbour, beyond) = (&pod.vm.netns, &pod.neighbour.netns, &pod.beyond);
    let errors = |port| pod.count(port, ToVm, Reason::IcmpError);
    let assert_known = |from: &Netns| {
        let route = from.run(&format!("ip -6 route get {BEYOND}"));
        assert!(route.contains("mtu 1280"), "{route}");
    };
    // TCP sends what fits its own link at first, and gets through only by hearing of the other.
    transfer(beyond, BEYOND, vm, 1 << 20);
    assert!(errors("vm1") >= 1);
    assert_known(vm);

    // UDP of 1400 bytes: lost once, then in two fragments.
    let receiver = beyond.inside(|| UdpSocket::bind((UNSPECIFIED, 7001)).expect("a free port"));
    receiver.set_nonblocking(true).expect("a socket");
    let sender = neighbour.inside(|| UdpSocket::bind((UNSPECIFIED, 0)).expect("a free port"));
    sender.send_to(&[0; 1400], (BEYOND, 7001)).expect("sent");
    eventually("the error", || (errors("vm2") == 1).then_some(()));
    assert_known(neighbour);
    assert_eq!(pod.count("vm2", FromVm, Reason::Fragment), 0);
    sender.send_to(&[0; 1400], (BEYOND, 7001)).expect("sent");
    let length = eventually("the datagram", || receiver.recv(&mut [0; 2000]).ok());
    assert_eq!(length, 1400);
    assert_eq!(pod.count("vm2", FromVm, Reason::Fragment), 1);
    assert_eq!(pod.count("vm2", FromVm, Reason::Allowed), 1);
    pod.assert_nothing_dropped();
}
