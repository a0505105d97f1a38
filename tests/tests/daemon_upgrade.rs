//! What is pinned already: by another version of the program, or by something that is none.

use std::process::Command;

use ipv6_sg::compile::compile;
use ipv6_sg::kernel::{Attachment, Guard, Hook, Pins, PortEntry, TcMethod, XdpMode};
use ipv6_sg::state::{Settings, directory};
use ipv6_sg_common::abi::{ABI_VERSION, maps};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Traffic, eventually, has_links, run};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};
use nix::sys::signal::Signal;

/// Another version: its maps and programs are the same, and it is not to know.
const OTHER: u32 = ABI_VERSION + 1;

/// A hypervisor with two silent guests that the state knows.
fn hypervisor() -> (Hypervisor, Guest, Guest) {
    let hypervisor = Hypervisor::new();
    let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let neighbour = hypervisor.guest("vm2", NEIGHBOUR_MAC, Ip::Silent);
    hypervisor.ports(&[&vm, &neighbour]);
    (hypervisor, vm, neighbour)
}

/// Guards ports as another version's daemon would have, and ends.
fn guard_as_other_version(hypervisor: &Hypervisor, ports: &[&str], xdp: XdpMode) {
    let model = directory::load_all(&[hypervisor.site.state_dir()]).expect("good state");
    let image = compile(&model, &Settings::default()).expect("small state");
    hypervisor.netns.inside(|| {
        let pins = Pins::of_abi(&hypervisor.site.pins, OTHER);
        let mut guard = Guard::open(pins, TcMethod::Tcx).expect("an object that loads");
        for port in ports {
            let ifindex = nix::net::if_::if_nametoindex(*port).expect("an interface");
            let to = Attachment { interface: (*port).to_owned(), ifindex };
            guard
                .write(ifindex, &PortEntry::new(image.ports.get(*port).expect("a port of the state").port))
                .expect("written");
            for hook in Hook::TC {
                guard.attach(&to, hook).expect("attached");
            }
            guard.shield(&to, xdp).expect("attached");
        }
    });
}

#[test]
fn another_versions_links_are_switched_without_a_gap() {
    if !has_links() {
        return;
    }
    let (hypervisor, vm, neighbour) = hypervisor();
    guard_as_other_version(&hypervisor, &["vm1", "vm2"], XdpMode::Generic);
    let hooks = ["from_vm", "to_vm", "shield_generic"];
    let before = hooks.map(|hook| hypervisor.link(OTHER, "vm1", hook));
    hypervisor.site.settings("xdp = \"generic\"");

    let traffic = Traffic::start(&vm, &neighbour);
    traffic.flow(200);
    let daemon = hypervisor.daemon();
    traffic.flow(200);
    traffic.stop().assert_clean();

    let after = hooks.map(|hook| hypervisor.link(ABI_VERSION, "vm1", hook));
    for ((hook, (old_link, old_program)), (new_link, new_program)) in hooks.iter().zip(before).zip(after) {
        assert_eq!(old_link, new_link, "{hook} was attached anew instead of switched");
        assert_ne!(old_program, new_program, "{hook} still runs the old program");
    }
    assert!(!hypervisor.site.pins.join(format!("v{OTHER}")).exists(), "{:#?}", hypervisor.site.pinned());
    daemon.assert_never("ERROR");
    // The new maps count from now on.
    let dropped = hypervisor.counters("vm1").from_vm.of(Reason::SourcePrivacy).packets;
    assert!(dropped > 0, "the new version counts nothing");
}

/// Pins a link a second time.
fn pin_again(link: (u64, u64), path: &std::path::Path) {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a bpffs");
    run(Command::new("bpftool").args(["link", "pin", "id", &link.0.to_string()]).arg(path));
}

/// A daemon that dies between pinning a switched link as its own and removing the other version's pin leaves both.
#[test]
fn a_switch_that_was_cut_short_is_finished() {
    if !has_links() {
        return;
    }
    let (hypervisor, vm, neighbour) = hypervisor();
    guard_as_other_version(&hypervisor, &["vm1", "vm2"], XdpMode::Generic);
    let hooks = ["from_vm", "to_vm", "shield_generic"];
    let before = hooks.map(|hook| hypervisor.link(OTHER, "vm1", hook));
    let ifindex = hypervisor.netns.ifindex("vm1").expect("an interface");
    for (hook, link) in hooks.iter().zip(before) {
        pin_again(link, &hypervisor.site.pins.join(format!("v{ABI_VERSION}/links/{ifindex}-{hook}")));
    }
    hypervisor.site.settings("xdp = \"generic\"");

    let traffic = Traffic::start(&vm, &neighbour);
    traffic.flow(200);
    let daemon = hypervisor.daemon();
    traffic.flow(200);
    traffic.stop().assert_clean();
    for (hook, (link, program)) in hooks.iter().zip(before) {
        let after = hypervisor.link(ABI_VERSION, "vm1", hook);
        assert_eq!(after.0, link, "{hook} was attached anew instead of adopted");
        assert_ne!(after.1, program, "{hook} still runs the old program");
    }
    assert!(!hypervisor.site.pins.join(format!("v{OTHER}")).exists(), "{:#?}", hypervisor.site.pinned());
    daemon.assert_never("ERROR");
    daemon.assert_never("WARN");
}

/// A pin whose link somebody detached is worth nothing: the tap is guarded anew, beside it or in its place.
#[test]
fn a_dead_link_is_replaced() {
    if !has_links() {
        return;
    }
    let (hypervisor, vm, neighbour) = hypervisor();
    drop(hypervisor.daemon());
    let dead = hypervisor.link(ABI_VERSION, "vm1", "from_vm");
    run(Command::new("bpftool").args(["link", "detach", "id", &dead.0.to_string()]));
    assert_eq!(hypervisor.programs("vm1"), 1);
    let daemon = hypervisor.daemon();
    assert_eq!(hypervisor.programs("vm1"), 2);
    assert_ne!(hypervisor.link(ABI_VERSION, "vm1", "from_vm").0, dead.0);
    daemon.assert_never("ERROR");
    let traffic = Traffic::start(&vm, &neighbour);
    traffic.flow(200);
    traffic.stop().assert_clean();
}

/// What cannot be removed keeps no tap from being guarded, and is not forgotten.
#[test]
fn a_pin_that_cannot_be_removed_is_tried_again() {
    if !has_links() {
        return;
    }
    let (hypervisor, _vm, _neighbour) = hypervisor();
    let ifindex = hypervisor.netns.ifindex("vm1").expect("an interface");
    let other = hypervisor.site.pins.join(format!("v{OTHER}/links/{ifindex}-from_vm"));
    std::fs::create_dir_all(&other).expect("a bpffs");
    let mut daemon = hypervisor.daemon();
    let line = daemon.wait_for("cannot remove");
    assert!(line.contains("WARN") && line.contains(other.to_str().expect("text")), "{line}");
    assert_eq!(["vm1", "vm2"].map(|port| hypervisor.programs(port)), [2, 2]);
    assert_eq!(hypervisor.json("status")["daemon"]["guarded"].as_array().map(Vec::len), Some(2));

    std::fs::remove_dir(&other).expect("ours");
    let link = hypervisor.link(ABI_VERSION, "vm1", "from_vm");
    pin_again(link, &other);
    daemon.signal(Signal::SIGHUP);
    eventually("the end of the other pin", || (!other.exists()).then_some(()));
    assert_eq!(hypervisor.link(ABI_VERSION, "vm1", "from_vm"), link);
    assert_eq!(daemon.lines_with("cannot remove").len(), 1, "{:#?}", daemon.lines());
}

/// A tap that the other version guarded and that is gone, and one that the state no longer names.
#[test]
fn another_versions_leftovers_go() {
    if !has_links() {
        return;
    }
    let (hypervisor, vm, neighbour) = hypervisor();
    let _third = hypervisor.guest("vm3", "06:00:00:00:00:03".parse().expect("a MAC"), Ip::Silent);
    hypervisor.port("vm3", "06:00:00:00:00:03".parse().expect("a MAC"), "");
    guard_as_other_version(&hypervisor, &["vm1", "vm2", "vm3"], XdpMode::Off);
    hypervisor.netns.ip("link del vm2");
    hypervisor.site.remove_state("20-vm3.toml");
    hypervisor.ports(&[&vm, &neighbour]);
    let mut daemon = hypervisor.daemon();
    hypervisor.wait_released("vm3");
    daemon.wait_for("its interface is gone");
    let old = hypervisor.site.pins.join(format!("v{OTHER}"));
    eventually("the old version's end", || (!old.exists()).then_some(()));
    assert_eq!(hypervisor.json("status")["guarded"], serde_json::json!(["vm1"]));
}

/// An upgrade whose daemon never started, and then an operator who wants to be rid of all of it.
#[test]
fn another_versions_guard_is_taken_off_too() {
    if !has_links() {
        return;
    }
    let (hypervisor, _vm, _neighbour) = hypervisor();
    guard_as_other_version(&hypervisor, &["vm1", "vm2"], XdpMode::Generic);
    assert_eq!(hypervisor.ask("detach --all"), "vm1 is not guarded any more\nvm2 is not guarded any more\n");
    assert_eq!(["vm1", "vm2"].map(|port| hypervisor.programs(port)), [0, 0]);
    assert_eq!(hypervisor.site.pinned(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_map_of_another_shape_is_refused() {
    let (hypervisor, vm, neighbour) = hypervisor();
    drop(hypervisor.daemon());
    let map = hypervisor.site.pins.join(format!("v{ABI_VERSION}/maps")).join(maps::ROUTERS);
    std::fs::remove_file(&map).expect("a pin");
    let create = ["map", "create"].map(ToOwned::to_owned);
    let shape = ["type", "hash", "key", "4", "value", "8", "entries", "16", "name", "foreign"];
    run(Command::new("bpftool").args(create).arg(&map).args(shape));
    let (pinned, links) = (hypervisor.site.pinned(), hypervisor.links("vm1"));

    let refused = hypervisor.site.try_verb(&hypervisor.netns, "daemon");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let [line] = refused.err.lines().collect::<Vec<_>>()[..] else { panic!("not one line: {}", refused.err) };
    for part in [map.to_str().expect("text"), "key 4 bytes, value 8 bytes", "key 24 bytes", "remove the directory"] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    assert_eq!((hypervisor.site.pinned(), hypervisor.links("vm1")), (pinned, links));
    assert!(!hypervisor.site.path("run/api.sock").exists(), "a refused daemon left its socket");
    let traffic = Traffic::start(&vm, &neighbour);
    traffic.flow(200);
    traffic.stop().assert_clean();
}
