//! The ways to stand on a port: tc filters where there are no links, and the XDP shield in front of both.

use aya::programs::TcAttachType;
use ipv6_sg::compile::compile;
use ipv6_sg::kernel::{Attachment, Guard, Hook, KernelError, Pins, PortEntry, TcMethod};
use ipv6_sg::state::{Settings, directory};
use ipv6_sg_common::abi::programs;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::foreign::{ACCEPT, Foreign};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Traffic, eventually, forged, has_links, honest};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};
use nix::sys::signal::Signal;
use serde_json::json;

/// A hypervisor with two silent guests that the state knows.
fn hypervisor() -> (Hypervisor, Guest, Guest) {
    let hypervisor = Hypervisor::new();
    let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let neighbour = hypervisor.guest("vm2", NEIGHBOUR_MAC, Ip::Silent);
    hypervisor.ports(&[&vm, &neighbour]);
    (hypervisor, vm, neighbour)
}

/// What a daemon on a kernel before 6.6 does at every start.
fn guard_with_filters(hypervisor: &Hypervisor) {
    let model = directory::load_all(&[hypervisor.site.state_dir()]).expect("good state");
    let image = compile(&model, &Settings::default()).expect("small state");
    hypervisor.netns.inside(|| {
        let mut guard = Guard::open(Pins::new(&hypervisor.site.pins), TcMethod::Clsact).expect("an object that loads");
        for (interface, port) in &image.ports {
            let ifindex = nix::net::if_::if_nametoindex(interface.as_str()).expect("an interface");
            guard.write(ifindex, &PortEntry::new(port.port)).expect("written");
            for hook in Hook::TC {
                guard.attach(&Attachment { interface: interface.clone(), ifindex }, hook).expect("attached");
            }
        }
    });
}

#[test]
fn filters_are_replaced_without_a_gap_and_taken_off() {
    let (hypervisor, vm, neighbour) = hypervisor();
    guard_with_filters(&hypervisor);
    let first = hypervisor.filters("vm1");
    assert_eq!(first.len(), 2, "one on each side");

    let traffic = Traffic::start(&vm, &neighbour);
    for _ in 0..5 {
        traffic.flow(200);
        guard_with_filters(&hypervisor);
    }
    traffic.flow(200);
    let report = traffic.stop();
    report.assert_clean();
    let last = hypervisor.filters("vm1");
    assert_eq!(last.len(), 2, "replaced, not added: {last:?}");
    assert!(first.iter().all(|program| !last.contains(program)), "{first:?} still run");
    assert_eq!(hypervisor.counters("vm1").from_vm.of(Reason::SourcePrivacy).packets, report.sent);
    assert_eq!(hypervisor.counters("vm2").to_vm.of(Reason::Traffic).packets, report.sent);

    hypervisor.netns.inside(|| {
        let mut guard = Guard::open(Pins::new(&hypervisor.site.pins), TcMethod::Clsact).expect("an object that loads");
        for ifindex in guard.known() {
            let name = nix::net::if_::if_indextoname(ifindex).expect("it is there").into_string().expect("text");
            guard.release(ifindex, Some(&name)).expect("released");
        }
        guard.remove_pins().expect("removed");
    });
    assert_eq!(hypervisor.filters("vm1"), [0; 0]);
    assert_eq!(hypervisor.site.pinned().len(), 0, "{:#?}", hypervisor.site.pinned());
    let (into, bad) = (neighbour.wire(), forged(&vm, &neighbour, 1));
    vm.wire().send(&bad);
    into.until("the frame of a released port", |frame| frame == bad.bytes);
}

/// A filter of somebody else, of the same name even, stays when ours are taken off; and so does everything on an
/// interface that has taken the name of ours.
#[test]
fn only_our_own_filters_are_taken_off() {
    let (hypervisor, _vm, _neighbour) = hypervisor();
    guard_with_filters(&hypervisor);
    let mut foreign = Foreign::load(programs::FROM_VM, ACCEPT, &hypervisor.site.pins.join("foreign"));
    foreign.attach_filter(&hypervisor.netns, "vm1", TcAttachType::Ingress, 7, 7);
    let [ours, others] = ["vm1", "vm2"].map(|port| hypervisor.filters(port));
    assert_eq!((ours.len(), others.len()), (3, 2), "{ours:?} {others:?}");

    let ifindex = |port| hypervisor.netns.ifindex(port).expect("an interface");
    let vm1 = ifindex("vm1");
    hypervisor.netns.ip("link set vm1 down\nlink set vm2 down\nlink set vm1 name vm9\nlink set vm2 name vm1\n\
         link set vm1 up\nlink set vm9 up");
    hypervisor.netns.inside(|| {
        let mut guard = Guard::open(Pins::new(&hypervisor.site.pins), TcMethod::Clsact).expect("an object that loads");
        let gone = guard.release(vm1, Some("vm1")).expect_err("another interface has the name");
        assert!(matches!(gone, KernelError::InterfaceGone { ifindex, .. } if ifindex == vm1), "{gone}");
        assert_eq!(guard.entries().len(), 2, "a port was forgotten whose filters are still there");
    });
    assert_eq!([hypervisor.filters("vm9"), hypervisor.filters("vm1")], [ours, others]);

    hypervisor.netns.inside(|| {
        let mut guard = Guard::open(Pins::new(&hypervisor.site.pins), TcMethod::Clsact).expect("an object that loads");
        guard.release(vm1, Some("vm9")).expect("released");
        // Taken off already, and without the qdisc to look in: nothing is left to do.
        guard.release(vm1, Some("vm9")).expect("released");
        assert_eq!(hypervisor.filters("vm9"), [u64::from(foreign.id())]);
        hypervisor.netns.run("tc qdisc del dev vm1 clsact");
        guard.release(ifindex("vm1"), Some("vm1")).expect("released");
        assert_eq!(guard.known().len(), 0);
    });
}

/// What somebody puts before the guard sees packets first, and can accept them: the daemon says so once.
#[test]
fn a_program_before_the_guard_is_named() {
    if !has_links() {
        return;
    }
    let (hypervisor, vm, neighbour) = hypervisor();
    let mut daemon = hypervisor.daemon();
    assert_eq!(hypervisor.json("status")["ahead"], json!([]));
    let mut foreign = Foreign::load("shortcut", ACCEPT, &hypervisor.site.pins.join("foreign"));
    foreign.attach_first(&hypervisor.netns, "vm1", TcAttachType::Ingress);
    let (into, bad) = (neighbour.wire(), forged(&vm, &neighbour, 1));
    vm.wire().send(&bad);
    into.until("a forged frame that the guard never saw", |frame| frame == bad.bytes);

    // The kernel tells nobody: it is found when the daemon next looks.
    daemon.signal(Signal::SIGHUP);
    let line = daemon.wait_for("comes before the guard");
    let name = format!("the program \"shortcut\" (id {})", foreign.id());
    for part in ["WARN", &name, "on interface vm1, from_vm:", "attach it behind ipv6_sg_from_vm"] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    let row = json!([{"interface": "vm1", "hook": "from_vm", "program": "shortcut", "id": foreign.id()}]);
    assert_eq!(hypervisor.json("status")["ahead"], row);
    let text = hypervisor.ask("status");
    let line = format!("AHEAD        vm1 from_vm: program \"shortcut\" (id {}) comes before", foreign.id());
    assert!(text.contains(&line), "{text}");

    // Once for each program, however often it is seen; and a restart, which adopts the links, sees it too.
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_another("state loaded", 1);
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    assert_eq!(daemon.lines_with("comes before the guard").len(), 1, "{:#?}", daemon.lines());
    let mut daemon = hypervisor.daemon();
    daemon.wait_for("comes before the guard");
    drop(foreign);
    eventually("nobody ahead", || (hypervisor.json("status")["ahead"] == json!([])).then_some(()));
    assert_eq!(hypervisor.programs("vm1"), 2);
}

/// With the shield up, forged frames die in it, and honest ones pass it.
#[track_caller]
fn assert_shielded(mode: &str, shown: &str) {
    let (hypervisor, vm, neighbour) = hypervisor();
    hypervisor.site.settings(&format!("xdp = {mode:?}"));
    let daemon = hypervisor.daemon();
    daemon.assert_never("WARN");
    let link = hypervisor.netns.run("ip link show vm1");
    assert!(link.contains(shown), "{link}");

    let mut monitor = hypervisor.monitor("vm1 --json");
    let (out, into) = (vm.wire(), neighbour.wire());
    let (bad, good) = (forged(&vm, &neighbour, 1), honest(&vm, &neighbour, 2));
    out.send(&bad);
    let event: serde_json::Value = serde_json::from_str(&monitor.wait_for("{")).expect("JSON");
    let said = ["hook", "reason"].map(|key| event.get(key).and_then(serde_json::Value::as_str));
    assert_eq!(said, [Some("xdp"), Some("source_privacy")], "{event}");
    out.send(&good);
    let seen = into.until("the honest frame", |frame| frame == good.bytes);
    assert!(!seen.contains(&bad.bytes), "the forged frame arrived");
    // Counted once each, whoever saw it.
    let counters = || hypervisor.counters("vm1").from_vm;
    eventually("counts", || {
        let counters = counters();
        (counters.of(Reason::SourcePrivacy).packets == 1 && counters.of(Reason::Traffic).packets == 1).then_some(())
    });

    let traffic = Traffic::start(&vm, &neighbour);
    traffic.flow(100);
    drop(daemon);
    let _daemon = hypervisor.daemon();
    traffic.flow(100);
    // A shield taken off leaves tc, which needs none.
    hypervisor.site.settings("xdp = \"off\"");
    drop(_daemon);
    let _daemon = hypervisor.daemon();
    traffic.flow(100);
    traffic.stop().assert_clean();
    eventually("no shield", || (!hypervisor.netns.run("ip link show vm1").contains("xdp")).then_some(()));
}

#[test]
fn the_shield_in_the_stack() {
    assert_shielded("generic", "xdpgeneric");
}

#[test]
fn the_shield_in_the_driver() {
    assert_shielded("native", " xdp ");
}

#[test]
fn the_shield_wherever_it_can_be() {
    assert_shielded("auto", "xdp");
}

/// In one line, and not at all where it lacks nothing.
#[test]
fn what_the_kernel_lacks_is_said_at_the_start() {
    let (hypervisor, _vm, _neighbour) = hypervisor();
    let daemon = hypervisor.daemon();
    let lacks = usize::from(TcMethod::of_this_kernel() == TcMethod::Clsact);
    assert_eq!(daemon.lines_with("this kernel has no").len(), lacks, "{:#?}", daemon.lines());
}
