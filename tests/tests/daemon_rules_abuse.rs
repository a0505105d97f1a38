//! VMs and strangers that fill what a port remembers: each has its own, which is as large as the settings say, and nobody
//! else notices.

use std::net::Ipv6Addr;
use std::{panic, thread};

use ipv6_sg_common::abi::{Direction, FRAGMENTS_PER_PORT, maps};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::extension::fragment;
use ipv6_sg_tests::frame::flags::{ACK, SYN};
use ipv6_sg_tests::frame::{Frame, Ipv6, raw, tcp, udp};
use ipv6_sg_tests::lab::{
    Delivery, Guest, Hypervisor, Ip, Leg, Memory, Process, Streams, address, eventually, room, slowness,
};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, ROUTER_MAC, VM_MAC};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// How many flows a port remembers here: few, so that little is enough to fill it many times over.
const ROOM: u32 = 1024;
/// Of each kind that is sent to fill a memory: a hundred times what has room, and more.
const FLOOD: u32 = 120 * 1024;

/// A million fragments, half of them first ones; fewer where each takes an emulated processor's time.
fn half_of_the_fragments() -> u32 {
    if slowness() == 1 { 500_000 } else { FLOOD }
}

/// Two guarded VMs, the second with a flow under way whose answers only the flow lets in, and somebody whom nobody guards.
struct Stage {
    vm: Guest,
    neighbour: Guest,
    listener: Guest,
    hypervisor: Hypervisor,
    daemon: Process,
}

impl Stage {
    fn new() -> Self {
        let hypervisor = Hypervisor::new();
        let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        let neighbour = hypervisor.guest("vm2", NEIGHBOUR_MAC, Ip::Silent);
        let listener = hypervisor.guest("up0", ROUTER_MAC, Ip::Silent);
        hypervisor.site.settings(&format!("[conntrack]\nentries_per_port = {ROOM}"));
        hypervisor
            .groups("[security_group.web]\ningress = [{ protocol = \"tcp\", ports = \"80\", peers = [\"::/0\"] }]\n");
        hypervisor.port("vm1", VM_MAC, "security_groups = [\"web\"]");
        hypervisor.port("vm2", NEIGHBOUR_MAC, "security_groups = []");
        let daemon = hypervisor.daemon();
        Self { vm, neighbour, listener, hypervisor, daemon }
    }

    /// An honest flow of the neighbour's, both ways.
    fn honest(&self) -> Streams {
        let ends = |from: &Guest, to: &Guest| (address(from), address(to));
        let (asks, answers) = (ends(&self.neighbour, &self.listener), ends(&self.listener, &self.neighbour));
        let streams = Streams::start(vec![
            Leg::new(&self.neighbour, &self.listener, |data| {
                Ipv6::new(asks.0, asks.1, tcp(40_000, 443, ACK).data(data))
            }),
            Leg::new(&self.listener, &self.neighbour, |data| {
                Ipv6::new(answers.0, answers.1, tcp(443, 40_000, ACK).data(data))
            })
            .answers(0),
        ]);
        streams.flow(&[0, 1], 50);
        streams
    }

    /// Ends the flow, of which nothing is missing: nothing was dropped, and it was opened once.
    #[track_caller]
    fn assert_unharmed(&self, streams: Streams, others: u64) {
        streams.flow(&[0, 1], 50);
        let legs = streams.stop();
        legs.iter().for_each(Delivery::assert_whole);
        assert_eq!(self.count("vm2", Direction::ToVm, Reason::IngressDenied), 0);
        assert_eq!(self.count("vm2", Direction::FromVm, Reason::Allowed), 1 + others);
        assert_eq!(self.count("vm2", Direction::ToVm, Reason::Established), legs[1].sent);
        self.daemon.assert_never("ERROR");
    }

    fn count(&self, port: &str, direction: Direction, reason: Reason) -> u64 {
        self.hypervisor.counters(port).direction(direction).of(reason).packets
    }

    fn flows(&self, port: &str) -> Memory {
        self.hypervisor.memory(maps::FLOWS, port)
    }
}

fn frame(from: &Guest, to: &Guest, packet: &Ipv6) -> Frame {
    packet.ethernet(Direction::FromVm).from(from.mac).to(to.mac).build()
}

/// Sends a frame so many times, each with its number in four bytes of it.
fn flood(from: &Guest, frame: &Frame, at: usize, count: u32) {
    flood_of(1, from, frame, at, count);
}

/// The same, and each number in so many frames.
fn flood_of(frames: u32, from: &Guest, frame: &Frame, at: usize, count: u32) {
    let (wire, mut bytes) = (from.wire(), frame.bytes.clone());
    for number in 1..=count {
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
        (0..frames).for_each(|_| wire.send_bytes(&bytes));
    }
}

/// Where the last four bytes of the source are in a frame, and of the destination.
const SOURCE: usize = 14 + 8 + 12;
const DESTINATION: usize = 14 + 24 + 12;

#[test]
fn a_vm_that_opens_flows_without_end_forgets_only_its_own() {
    let stage = Stage::new();
    let (vm, neighbour, listener) = (&stage.vm, &stage.neighbour, &stage.listener);
    // Half of the neighbour's room is in use, by flows that are silent from now on.
    let to = Ipv6Addr::new(0x2001, 0xdb8, 0x5, 0, 0, 0, 0, 0);
    let flow = |from: &Guest| frame(from, listener, &Ipv6::new(address(from), to, udp(4000, 53, b"?")));
    let streams = stage.honest();
    flood(neighbour, &flow(neighbour), DESTINATION, ROOM / 2);
    let before = stage.flows("vm2");
    assert_eq!((before.room, before.keys.len()), (room(ROOM), usize::try_from(ROOM / 2 + 1).expect("small")));

    flood(vm, &flow(vm), DESTINATION, FLOOD);
    assert_eq!(stage.count("vm1", Direction::FromVm, Reason::Allowed), u64::from(FLOOD));
    let filled = stage.flows("vm1");
    assert_eq!(filled.room, room(ROOM));
    let half = usize::try_from(ROOM / 2).expect("small");
    assert!((half + 1..=filled.most()).contains(&filled.keys.len()), "{} flows", filled.keys.len());
    assert_eq!(stage.flows("vm2"), before);
    stage.assert_unharmed(streams, u64::from(ROOM / 2));
}

#[test]
fn a_flood_of_connections_to_a_vm_is_its_own_affair() {
    let stage = Stage::new();
    let (vm, listener) = (&stage.vm, &stage.listener);
    let streams = stage.honest();
    let source = Ipv6Addr::new(0x2001, 0xdb8, 0x5, 0, 0, 0, 0, 0);
    let syn = |source, port| frame(listener, vm, &Ipv6::new(source, address(vm), tcp(40_000, port, SYN)));
    flood(listener, &syn(source, 80), SOURCE, FLOOD);
    flood(listener, &syn(source, 81), SOURCE, FLOOD);
    let entered = |reason| stage.count("vm1", Direction::ToVm, reason);
    assert_eq!([Reason::Allowed, Reason::IngressDenied].map(entered), [u64::from(FLOOD); 2]);
    let filled = stage.flows("vm1");
    assert!(filled.keys.len() <= filled.most(), "{} flows", filled.keys.len());
    // Who comes after it is let in all the same, and is answered.
    listener.wire().send(&syn(address(listener), 80));
    let answer = Ipv6::new(address(vm), address(listener), tcp(80, 40_000, SYN | ACK));
    let established = || stage.count("vm1", Direction::FromVm, Reason::Established);
    let before = established();
    vm.wire().send(&frame(vm, listener, &answer));
    eventually("an answer", || (established() == before + 1).then_some(()));
    stage.assert_unharmed(streams, 0);
}

/// What docs/policy.md says of a full memory: whoever floods a port that is open to him makes it forget what its VM
/// asked long ago, until the VM speaks again. One packet a flow is not enough.
#[test]
fn a_flood_silences_who_answers_a_silent_vm_until_it_speaks() {
    let stage = Stage::new();
    let (vm, listener) = (&stage.vm, &stage.listener);
    let streams = stage.honest();
    let (to_vm, from_vm) = (Direction::ToVm, Direction::FromVm);
    let counts = || {
        let opened = [from_vm, to_vm].map(|direction| stage.count("vm1", direction, Reason::Allowed));
        let answers = [Reason::Established, Reason::IngressDenied].map(|reason| stage.count("vm1", to_vm, reason));
        (opened, answers)
    };
    let asks = frame(vm, listener, &Ipv6::new(address(vm), address(listener), tcp(40_000, 443, ACK)));
    let answer = frame(listener, vm, &Ipv6::new(address(listener), address(vm), tcp(443, 40_000, ACK)));
    let arrives = |from: &Guest, to: &Guest, frame: &Frame| {
        let into = to.wire();
        from.wire().send(frame);
        into.until("the frame", |seen| seen == frame.bytes);
    };
    arrives(vm, listener, &asks);
    arrives(listener, vm, &answer);
    assert_eq!(counts(), ([1, 0], [1, 0]));
    let flow = stage.flows("vm1").keys;
    assert_eq!(flow.len(), 1);

    let source = Ipv6Addr::new(0x2001, 0xdb8, 0x5, 0, 0, 0, 0, 0);
    let each = 16 * ROOM;
    // On each processor: what one has added last is forgotten once it has added more.
    let flood = |frames: u32, port: u16| {
        let processors = on_each_processor(|number| {
            let syn = Ipv6::new(source, address(vm), tcp(port + number, 80, SYN));
            flood_of(frames, listener, &frame(listener, vm, &syn), SOURCE, each);
        });
        u64::from(each) * u64::from(processors)
    };
    let opened = flood(1, 40_000);
    arrives(listener, vm, &answer);
    assert_eq!(counts(), ([1, opened], [2, 0]));
    assert!(stage.flows("vm1").keys.is_superset(&flow));

    let again = flood(2, 50_000);
    let (opened, established) = (opened + again, again + 2);
    assert_eq!(counts(), ([1, opened], [established, 0]));
    let filled = stage.flows("vm1").keys;
    assert!(filled.is_disjoint(&flow), "the flow is still there, among {}", filled.len());
    let at_vm = vm.wire();
    for denied in 1..=2 {
        listener.wire().send(&answer);
        eventually("a drop", || (counts() == ([1, opened], [established, denied])).then_some(()));
    }
    assert!(!at_vm.drain().contains(&answer.bytes));
    arrives(vm, listener, &asks);
    arrives(listener, vm, &answer);
    assert_eq!(counts(), ([2, opened], [established + 1, 2]));
    stage.assert_unharmed(streams, 0);
}

/// Does something on each processor in turn, and says on how many.
fn on_each_processor(act: impl Fn(u16) + Sync) -> u16 {
    let this = Pid::from_raw(0);
    let ours = sched_getaffinity(this).expect("where this thread may run");
    let processors = (0..CpuSet::count()).filter(|cpu| ours.is_set(*cpu).expect("in bounds"));
    let mut count = 0;
    for cpu in processors {
        let mut only = CpuSet::new();
        only.set(cpu).expect("in bounds");
        let there = || {
            sched_setaffinity(this, &only).expect("a processor that is ours");
            act(count);
        };
        thread::scope(|scope| scope.spawn(there).join()).unwrap_or_else(|panic| panic::resume_unwind(panic));
        count += 1;
    }
    count
}

#[test]
fn a_flood_of_fragments_is_its_own_affair() {
    let stage = Stage::new();
    let (vm, neighbour, listener) = (&stage.vm, &stage.neighbour, &stage.listener);
    let streams = stage.honest();
    let part = |from: &Guest, offset, more| {
        let packet = Ipv6::new(address(from), address(listener), raw(17, vec![0x5a; 64]));
        frame(from, listener, &packet.ext(fragment(7, offset, more)))
    };
    // The neighbour is in the middle of a datagram.
    neighbour.wire().send(&part(neighbour, 0, true));
    let identification = 14 + 40 + 4;
    let half = half_of_the_fragments();
    for offset in [0, 64] {
        flood(vm, &part(vm, offset, offset == 0), identification, half);
    }
    // Of one flow: the first opened it. Of the others, those pass that are still remembered.
    let sent = |reason| stage.count("vm1", Direction::FromVm, reason);
    assert_eq!([Reason::Allowed, Reason::Established].map(sent), [1, u64::from(half) - 1]);
    assert_eq!(sent(Reason::Fragment) + sent(Reason::FragmentUnknown), u64::from(half));
    let filled = stage.hypervisor.memory(maps::FRAGMENTS, "vm1");
    assert_eq!(filled.room, room(FRAGMENTS_PER_PORT));
    assert!(filled.keys.len() <= filled.most(), "{} first fragments", filled.keys.len());
    assert!(sent(Reason::Fragment) <= filled.room, "{} followed", sent(Reason::Fragment));

    let (rest, into) = (part(neighbour, 64, false), listener.wire());
    neighbour.wire().send(&rest);
    into.until("the rest of the datagram", |seen| seen == rest.bytes);
    assert_eq!(stage.count("vm2", Direction::FromVm, Reason::Fragment), 1);
    stage.assert_unharmed(streams, 1);
}

/// The size of a memory is that of when its port was first guarded.
#[test]
fn settings_say_how_many_flows_a_port_remembers() {
    let mut stage = Stage::new();
    let streams = stage.honest();
    stage.hypervisor.site.settings("[conntrack]\nentries_per_port = 128");
    let loaded = stage.daemon.lines_with("state loaded").len();
    stage.daemon.signal(Signal::SIGHUP);
    stage.daemon.wait_for_another("state loaded", loaded);
    // Those of ports that are there stay, with what is in them; what is at hand for new ones is made anew.
    let mac = "06:00:00:00:00:03".parse().expect("a MAC");
    stage.hypervisor.port("vm3", mac, "security_groups = []");
    let _guest = stage.hypervisor.guest("vm3", mac, Ip::Silent);
    stage.hypervisor.wait_guarded("vm3");
    assert_eq!(["vm1", "vm2", "vm3"].map(|port| stage.flows(port).room), [ROOM, ROOM, 128].map(room));
    stage.assert_unharmed(streams, 0);
}
