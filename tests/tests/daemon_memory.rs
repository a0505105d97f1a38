//! What the maps keep of a port: through changes of its state, not for its successor, and in how many bytes.

use aya::util::KernelVersion;
use ipv6_sg::kernel::kept_aside;
use ipv6_sg_common::abi::{Counters, Direction, maps};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::extension::fragment;
use ipv6_sg_tests::frame::{Frame, Ipv6, raw};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Process, Traffic, address, eventually, forged, key, port};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};
use serde_json::{Value, json};

/// A guarded guest and an unguarded listener.
fn hypervisor() -> (Hypervisor, Guest, Guest, Process) {
    let hypervisor = Hypervisor::new();
    let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let listener = hypervisor.guest("up0", NEIGHBOUR_MAC, Ip::Silent);
    hypervisor.port("vm1", VM_MAC, "");
    let daemon = hypervisor.daemon();
    (hypervisor, vm, listener, daemon)
}

/// The slots of the port map that hold something.
fn slots(hypervisor: &Hypervisor) -> Vec<Value> {
    let dump = hypervisor.bpftool("dump", maps::PORTS, "");
    let slots = dump.as_array().expect("a list").iter().map(|slot| slot["formatted"]["value"].clone());
    slots.filter(|port| port["ifindex"] != json!(0)).collect()
}

/// The first and the second half of a datagram in two.
fn halves(vm: &Guest, listener: &Guest) -> [Frame; 2] {
    let half = |offset, more| {
        let packet = Ipv6::new(address(vm), address(listener), raw(17, vec![0x5a; 64])).ext(fragment(7, offset, more));
        packet.ethernet(Direction::FromVm).from(vm.mac).to(listener.mac).build()
    };
    [half(0, true), half(64, false)]
}

#[test]
fn a_port_counts_on_while_its_state_changes() {
    let (hypervisor, vm, listener, daemon) = hypervisor();
    let traffic = Traffic::start(&vm, &listener);
    let place = hypervisor.place("vm1");
    for round in 0..12 {
        traffic.flow(50);
        // With and without an entry in the source map: the port itself changes each time.
        let more = if round % 2 == 0 { "addresses = [\"2001:db8:100::100\"]" } else { "" };
        hypervisor.port("vm1", VM_MAC, more);
        let flags = if round % 2 == 0 { json!(["has_sources"]) } else { json!([]) };
        eventually("the new state", || (hypervisor.json("ports")[0]["flags"] == flags).then_some(()));
        assert_eq!(hypervisor.place("vm1"), place);
    }
    let report = traffic.stop();
    report.assert_clean();
    let counters = hypervisor.counters("vm1").from_vm;
    assert_eq!(counters.of(Reason::SourcePrivacy).packets, report.sent);
    assert_eq!(counters.of(Reason::Traffic).packets, report.sent);
    assert_eq!(hypervisor.json("status")["stray_packets"], json!(0));
    // Nothing is left of what the port was.
    eventually("one slot in use", || (slots(&hypervisor).len() == 1).then_some(()));
    daemon.assert_never("ERROR");
}

#[test]
fn a_memory_that_is_used_again_is_empty() {
    let (hypervisor, vm, listener, mut daemon) = hypervisor();
    let [first, second] = halves(&vm, &listener);
    let place = hypervisor.place("vm1");
    let mut rounds = 0;
    loop {
        // Later fragments are unknown until the first has passed; the drop is reported, so the budget is there.
        let count = |reason| hypervisor.counters("vm1").from_vm.of(reason).packets;
        let (out, into) = (vm.wire(), listener.wire());
        out.send(&second);
        eventually("a drop", || (count(Reason::FragmentUnknown) == 1).then_some(()));
        let mut counted = Counters::default();
        let drop = counted.from_vm.of_mut(Reason::FragmentUnknown);
        (drop.packets, drop.bytes) = (1, second.bytes.len() as u64);
        assert_eq!(hypervisor.counters("vm1"), counted, "round {rounds}");
        if rounds > 0 && hypervisor.place("vm1") == place {
            break;
        }
        // Leave as much behind as there can be: counts, a first fragment, no budget.
        out.send(&first);
        out.send(&second);
        into.until("the second half", |seen| seen == second.bytes);
        eventually("a drop that is not reported", || {
            (0..200).for_each(|number| out.send(&forged(&vm, &listener, number)));
            (hypervisor.counters("vm1").suppressed > 0).then_some(())
        });
        hypervisor.netns.ip("link del vm1");
        hypervisor.plug(&vm);
        hypervisor.wait_guarded("vm1");
        daemon.wait_for_another("its interface is gone", rounds);
        rounds += 1;
        assert!(rounds < 50, "the first memory is never used again");
    }
    daemon.assert_never("ERROR");
}

#[test]
fn a_memory_that_somebody_removed_is_made_anew() {
    let (hypervisor, vm, listener, mut daemon) = hypervisor();
    let place = u32::try_from(hypervisor.place("vm1")).expect("small");
    hypervisor.bpftool("delete", maps::COUNTERS, &key(place));
    // What is not counted is judged all the same.
    let traffic = Traffic::start(&vm, &listener);
    traffic.flow(200);
    assert_eq!(hypervisor.counters("vm1"), Counters::default());
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait();
    let _daemon = hypervisor.daemon();
    eventually("counts", || (hypervisor.counters("vm1").from_vm.of(Reason::Traffic).packets > 0).then_some(()));
    traffic.stop().assert_clean();
}

/// The bytes that the kernel says a pinned map takes.
fn bytes(hypervisor: &Hypervisor, map: &str) -> u64 {
    let shown = hypervisor.bpftool("show", map, "");
    shown["bytes_memlock"].as_u64().unwrap_or_else(|| panic!("no size: {shown}"))
}

/// The bounds are those that docs/benchmarks.md promises.
#[test]
fn a_port_and_a_peer_take_no_more_than_promised() {
    const MEMBERS: u64 = 1000;
    let kernel = KernelVersion::current().expect("the kernel has a version");
    if kernel < KernelVersion::new(6, 4, 0) {
        println!("not on this kernel: what a map takes, for which Linux before 6.4 only multiplies its sizes");
        return;
    }
    let hypervisor = Hypervisor::new();
    let _vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let group = |members: u64| {
        let members: Vec<_> = (1..=members).map(|number| format!("\"2001:db8:5::{number:x}/128\"")).collect();
        let rule = "ingress = [{ protocol = \"tcp\", ports = \"22\", peers = [\"group:members\"] }]";
        let members = format!("[security_group.members]\nmembers = [{}]\n", members.join(", "));
        members + &format!("[security_group.web]\n{rule}\n") + &port("vm1", VM_MAC, "security_groups = [\"web\"]")
    };
    hypervisor.site.state("10-port.toml", &group(1));
    let daemon = hypervisor.daemon();
    hypervisor.wait_guarded("vm1");
    eventually("a peer", || (entries(&hypervisor, maps::PEERS) == 1).then_some(()));

    let fixed: u64 = maps::ALL.iter().map(|map| bytes(&hypervisor, map)).sum();
    assert!(fixed <= 8 << 20, "{fixed} bytes on a host with one port");
    let own = [maps::FLOWS, maps::FRAGMENTS, maps::COUNTERS].map(|outer| hypervisor.memory(outer, "vm1").bytes);
    assert!(own.iter().all(|bytes| *bytes > 0), "{own:?}");
    let aside = u64::from(kept_aside().expect("the kernel says how many CPUs there can be"));
    assert!(own.iter().sum::<u64>() <= (5 << 19) + 256 * aside, "{own:?} bytes for a port");

    let before = bytes(&hypervisor, maps::PEERS);
    hypervisor.site.state("10-port.toml", &group(MEMBERS + 1));
    let all = usize::try_from(MEMBERS + 1).expect("small");
    eventually("all peers", || (entries(&hypervisor, maps::PEERS) == all).then_some(()));
    let each = (bytes(&hypervisor, maps::PEERS) - before) / MEMBERS;
    assert!((1..=128).contains(&each), "{each} bytes for a peer");
    daemon.assert_never("ERROR");
}

/// How many entries a pinned map has.
fn entries(hypervisor: &Hypervisor, map: &str) -> usize {
    hypervisor.bpftool("dump", map, "").as_array().map_or(0, Vec::len)
}
