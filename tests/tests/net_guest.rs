//! Real guests behind guarded ports: Linux as it comes, radvd as its router, and everything they honestly say.

use std::fs;
use std::net::{Ipv6Addr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use ipv6_sg_common::abi::{Counters, Direction};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Netns, Process, address, datagrams, eventually, radvd, transfer};
use ipv6_sg_tests::world::{
    DHCP_AGENTS, NEIGHBOUR_MAC, ROUTER, ROUTER_LINK_LOCAL, ROUTER_MAC, UNSPECIFIED, VM, VM_LINK_LOCAL, VM_MAC,
};

/// Somebody beyond the router, behind a link of 1280 bytes.
const BEYOND: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 2);

/// Two guests, their router and somebody beyond it. What is declared first is dropped first.
struct Pod {
    _radvd: Process,
    daemon: Process,
    vm: Guest,
    neighbour: Guest,
    router: Guest,
    beyond: Netns,
    hypervisor: Hypervisor,
}

impl Pod {
    /// The daemon guards both guests' ports before they say their first word.
    fn new(vm_keys: &str) -> Self {
        let hypervisor = Hypervisor::new();
        let router = hypervisor.guest("up0", ROUTER_MAC, Ip::Kernel);
        let beyond = Netns::new("beyond");
        router.netns.sysctl("ipv6/conf/all/forwarding", "1");
        router.netns.ip(&format!(
            "addr add {ROUTER}/64 dev eth0 nodad\n\
             link add eth1 type veth peer name eth0 netns {}\n\
             link set eth1 mtu 1280 up\n\
             addr add 2001:db8:ffff::1/64 dev eth1 nodad",
            beyond.name()
        ));
        beyond.ip(&format!(
            "link set eth0 up\naddr add {BEYOND}/64 dev eth0 nodad\nroute add default via 2001:db8:ffff::1"
        ));

        // State first: the port is guarded as it appears, and every packet of the guest's start meets the guard.
        let routers =
            format!("[network.pod]\nprefixes = [\"2001:db8:100::/64\"]\nrouters = [\"{ROUTER_LINK_LOCAL}\"]\n");
        hypervisor.site.state("00-network.toml", &routers);
        hypervisor.port("vm1", VM_MAC, vm_keys);
        hypervisor.port("vm2", NEIGHBOUR_MAC, "");
        let daemon = hypervisor.daemon();
        let [vm, neighbour] = [("vm1", VM_MAC), ("vm2", NEIGHBOUR_MAC)].map(|(port, mac)| {
            let guest = hypervisor.guest(port, mac, Ip::Kernel);
            hypervisor.wait_guarded(port);
            guest
        });

        let radvd = radvd(&hypervisor.site, &router.netns);
        let pod = Self { _radvd: radvd, daemon, vm, neighbour, router, beyond, hypervisor };
        for guest in [&pod.vm, &pod.neighbour] {
            eventually("an address by SLAAC, and a default route", || {
                (guest.has(address(guest)) && guest.routes_by(ROUTER_LINK_LOCAL)).then_some(())
            });
        }
        pod
    }

    /// Panics if anything honest was dropped: these guests do nothing else.
    #[track_caller]
    fn assert_nothing_dropped(&self) {
        for port in ["vm1", "vm2"] {
            let counters = self.hypervisor.counters(port);
            for (direction, reason) in both(Action::Drop) {
                // The bridge floods: what one guest asks all routers, and what goes to a MAC not learnt yet.
                let flooded = [Reason::RsToVm, Reason::NotForThisMac];
                if direction == Direction::ToVm && flooded.contains(&reason) {
                    continue;
                }
                let count = counters.direction(direction).of(reason).packets;
                assert_eq!(count, 0, "{port} {}: {reason}", direction.name());
            }
        }
        self.daemon.assert_never("ERROR");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.hypervisor.site.path(name)
    }

    fn count(&self, port: &str, direction: Direction, reason: Reason) -> u64 {
        self.hypervisor.counters(port).direction(direction).of(reason).packets
    }
}

fn both(action: Action) -> impl Iterator<Item = (Direction, Reason)> {
    let all = Direction::ALL.into_iter().flat_map(|direction| Reason::ALL.map(|reason| (direction, reason)));
    all.filter(move |(_, reason)| reason.action() == action)
}

/// What passed, for messages.
fn passed(counters: &Counters) -> Vec<String> {
    let counts = both(Action::Pass).map(|(direction, reason)| {
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
    let pod = Pod::new("");
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
    let pod = Pod::new("");
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
    let pod = Pod::new("");
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
    let pod = Pod::new("");
    let (wire, overhears) = (pod.router.wire(), pod.neighbour.wire());
    let [leases, pid, config] = ["dhclient.leases", "dhclient.pid", "dhclient.conf"].map(|name| pod.path(name));
    fs::write(&config, "").expect("our own directory");
    let mut dhclient = pod.vm.netns.command("dhclient");
    dhclient.args(["-6", "-P", "-d", "-sf", "/bin/true", "-lf"]).arg(&leases).arg("-pf").arg(&pid);
    let _dhclient = Process::start({
        dhclient.arg("-cf").arg(&config).arg("eth0");
        dhclient
    });
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
    let pod = Pod::new("delegated = [\"2001:db8:f000:10::/60\"]");
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
