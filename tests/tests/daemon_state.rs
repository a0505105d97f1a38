//! State and settings that change under a running daemon: good ones take effect, bad ones change nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::{Frame, Ipv6, ipv4, udp};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Process, address, eventually, forged, honest};
use ipv6_sg_tests::world::{DELEGATED_LAST, NEIGHBOUR_MAC, VM_MAC};
use nix::sys::signal::Signal;
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

fn shown(hypervisor: &Hypervisor) -> Value {
    let mut ports = hypervisor.json("ports");
    for row in ports.as_array_mut().expect("a list") {
        // What is enforced: not what has happened, nor the name that only the state files know.
        for key in ["dropped_from_vm", "dropped_to_vm", "vm", "notes"] {
            row[key] = Value::Null;
        }
    }
    ports
}

fn dropped(hypervisor: &Hypervisor, reason: Reason) -> u64 {
    hypervisor.counters("vm1").direction(Direction::FromVm).of(reason).packets
}

/// Sends a frame until it arrives.
#[track_caller]
fn assert_passes(vm: &Guest, listener: &Guest, frame: &Frame) {
    let (out, into) = (vm.wire(), listener.wire());
    eventually("a frame that passes", || {
        out.send(frame);
        into.drain().contains(&frame.bytes).then_some(())
    });
}

/// Sends a frame until it is dropped for this reason.
#[track_caller]
fn assert_dropped(hypervisor: &Hypervisor, vm: &Guest, frame: &Frame, reason: Reason) {
    let (out, before) = (vm.wire(), dropped(hypervisor, reason));
    eventually("a frame that is dropped", || {
        out.send(frame);
        (dropped(hypervisor, reason) > before).then_some(())
    });
}

#[test]
fn a_delegation_comes_and_goes() {
    let (hypervisor, vm, listener, daemon) = hypervisor();
    let packet = Ipv6::new(DELEGATED_LAST, address(&listener), udp(4000, 4000, b"from a delegated prefix"));
    let frame = packet.ethernet(Direction::FromVm).from(vm.mac).to(listener.mac).build();
    assert_dropped(&hypervisor, &vm, &frame, Reason::SourceSpoofed);
    hypervisor.port("vm1", VM_MAC, "delegated = [\"2001:db8:f000:10::/60\"]");
    assert_passes(&vm, &listener, &frame);
    hypervisor.port("vm1", VM_MAC, "delegated = [\"2001:db8:f000:20::/60\"]");
    assert_dropped(&hypervisor, &vm, &frame, Reason::SourceSpoofed);
    hypervisor.port("vm1", VM_MAC, "addresses = [\"2001:db8:f000:1f:ffff:ffff:ffff:ffff\"]");
    assert_passes(&vm, &listener, &frame);
    hypervisor.port("vm1", VM_MAC, "");
    assert_dropped(&hypervisor, &vm, &frame, Reason::SourceSpoofed);
    // What it always had it has kept.
    assert_passes(&vm, &listener, &honest(&vm, &listener, 1));
    daemon.assert_never("ERROR");
}

#[test]
fn a_broken_file_changes_nothing() {
    let (hypervisor, vm, listener, mut daemon) = hypervisor();
    let (before, links) = (shown(&hypervisor), hypervisor.links("vm1"));
    let broken = [
        ("not TOML", "[[port", "90-broken.toml:1:"),
        ("an unknown key", "[[port]]\ncolour = \"red\"", "90-broken.toml:2:1: unknown field `colour`"),
        ("a /63", "[network.x]\nprefixes = [\"2001:db8:2::/63\"]", "a /63"),
        ("host bits", "[network.x]\nprefixes = [\"2001:db8:2::1/64\"]", "has host bits; write 2001:db8:2::/64"),
        (
            "another port's interface",
            &ipv6_sg_tests::lab::port("vm1", NEIGHBOUR_MAC, ""),
            "already the interface of VM \"vm-vm1\"",
        ),
        ("another port's MAC", &ipv6_sg_tests::lab::port("vm2", VM_MAC, ""), "already the MAC of VM \"vm-vm1\""),
    ];
    for (index, (what, text, part)) in broken.iter().enumerate() {
        hypervisor.site.state("90-broken.toml", text);
        let line = daemon.wait_for_another("state not loaded", index);
        assert!(line.contains("90-broken.toml") && line.contains(part), "{what}: {line}");
        assert_eq!((shown(&hypervisor), hypervisor.links("vm1")), (before.clone(), links.clone()), "{what}");
        assert_passes(&vm, &listener, &honest(&vm, &listener, 1));
        assert_dropped(&hypervisor, &vm, &forged(&vm, &listener, 1), Reason::SourcePrivacy);
        assert_eq!(daemon.lines_with("ERROR").len(), index + 1, "more than one line for {what}");
    }
    // With what is broken gone, changes take effect again.
    hypervisor.site.remove_state("90-broken.toml");
    hypervisor.port("vm1", VM_MAC, "addresses = [\"2001:db8:100::100\"]");
    eventually("the new state", || {
        let sources = shown(&hypervisor)[0]["sources"].clone();
        sources.as_array().expect("a list").contains(&json!("2001:db8:100::100")).then_some(())
    });
}

/// Copies the files of a directory into a new one.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("our own directory");
    for file in fs::read_dir(from).expect("our own directory") {
        let file = file.expect("readable");
        fs::copy(file.path(), to.join(file.file_name())).expect("our own directory");
    }
}

/// The directory itself goes and comes: a moment without one changes nothing, and the new one is followed.
#[test]
fn a_state_directory_made_anew_is_followed() {
    let (hypervisor, vm, listener, mut daemon) = hypervisor();
    let (directory, aside, other) =
        (hypervisor.site.state_dir(), hypervisor.site.path("aside"), hypervisor.site.path("b"));
    let rename = |from: &Path, to: &Path| fs::rename(from, to).expect("our own directory");
    let before = shown(&hypervisor);
    let assert_followed = || {
        let address = "2001:db8:100::100";
        hypervisor.port("vm1", VM_MAC, &format!("addresses = [{address:?}]"));
        eventually("the new state", || {
            shown(&hypervisor)[0]["sources"].as_array()?.contains(&json!(address)).then_some(())
        });
        hypervisor.port("vm1", VM_MAC, "");
        eventually("the state as it was", || (shown(&hypervisor) == before).then_some(()));
    };

    // The same directory comes back.
    rename(&directory, &aside);
    daemon.wait_for("state not loaded");
    assert_eq!(shown(&hypervisor), before);
    assert_dropped(&hypervisor, &vm, &forged(&vm, &listener, 1), Reason::SourcePrivacy);
    rename(&aside, &directory);
    assert_followed();

    // Another one takes its place.
    copy(&directory, &other);
    rename(&directory, &aside);
    fs::remove_dir_all(&aside).expect("our own directory");
    rename(&other, &directory);
    assert_followed();

    // A symbolic link takes its place, and then leads elsewhere from one moment to the next.
    rename(&directory, &aside);
    symlink(&aside, &directory).expect("our own directory");
    assert_followed();
    copy(&aside, &other);
    let link = hypervisor.site.path("link");
    symlink(&other, &link).expect("our own directory");
    rename(&link, &directory);
    assert_followed();
}

#[test]
fn a_port_whose_state_goes_is_released() {
    let (hypervisor, vm, listener, daemon) = hypervisor();
    assert_dropped(&hypervisor, &vm, &forged(&vm, &listener, 1), Reason::SourcePrivacy);
    hypervisor.site.remove_state("20-vm1.toml");
    hypervisor.wait_released("vm1");
    assert_passes(&vm, &listener, &forged(&vm, &listener, 2));
    eventually("empty maps", || (shown(&hypervisor) == json!([])).then_some(()));
    assert_eq!(hypervisor.json("status")["stray_packets"], json!(0), "packets were lost while the port was released");
    hypervisor.port("vm1", VM_MAC, "");
    hypervisor.wait_guarded("vm1");
    assert_dropped(&hypervisor, &vm, &forged(&vm, &listener, 3), Reason::SourcePrivacy);
    daemon.assert_never("ERROR");
}

#[test]
fn sighup_reads_the_settings_again() {
    let (hypervisor, vm, listener, mut daemon) = hypervisor();
    let arp = ipv4::arp(Direction::FromVm).build();
    assert_passes(&vm, &listener, &arp);
    hypervisor.site.settings("ipv4 = \"drop\"");
    daemon.signal(Signal::SIGHUP);
    assert_dropped(&hypervisor, &vm, &arp, Reason::Ipv4Disabled);

    // Settings that are wrong change nothing, and are named in one line.
    hypervisor.site.settings("ipv4 = \"maybe\"");
    daemon.signal(Signal::SIGHUP);
    let line = daemon.wait_for("settings not reloaded");
    assert!(line.contains("config.toml:5:8: unknown variant `maybe`, expected `pass` or `drop`"), "{line}");
    assert_dropped(&hypervisor, &vm, &arp, Reason::Ipv4Disabled);
    assert_eq!(daemon.lines_with("ERROR").len(), 1);

    // What only a restart can change is named too.
    let metrics = "metrics = \"127.0.0.1:9\"\nquarantine = [\"vm*\"]";
    hypervisor.site.settings(metrics);
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for("metrics has changed and takes effect when the daemon is restarted");
    assert_passes(&vm, &listener, &arp);
    let _second = hypervisor.guest("vm2", "06:00:00:00:00:02".parse().expect("a MAC"), Ip::Silent);
    hypervisor.wait_guarded("vm2");
}

#[test]
fn what_an_operator_takes_off_stays_off_until_a_reload() {
    let (hypervisor, vm, listener, daemon) = hypervisor();
    assert_eq!(hypervisor.ask("detach vm1"), "vm1 is not guarded any more\n");
    hypervisor.wait_released("vm1");
    assert_passes(&vm, &listener, &forged(&vm, &listener, 1));
    // Links that come and go are no reason to put it back.
    hypervisor.netns.ip("link add other type veth peer name other2\nlink del other");
    // Nor is other state; what is wrong with it is shown until it is right.
    let errors = || hypervisor.json("status")["daemon"]["errors"].to_string();
    hypervisor.site.state("50-other.toml", "nonsense");
    eventually("an error that names the file", || errors().contains("50-other.toml").then_some(()));
    hypervisor.port("elsewhere", "06:00:00:00:00:09".parse().expect("a MAC"), "");
    hypervisor.site.remove_state("50-other.toml");
    eventually("a state without errors", || (errors() == "[]").then_some(()));
    let status = hypervisor.json("status");
    assert_eq!(status["daemon"]["missing"], json!(["elsewhere"]));
    assert_eq!(status["daemon"]["detached"], json!(["vm1"]));
    assert_eq!(hypervisor.programs("vm1"), 0);
    daemon.signal(Signal::SIGHUP);
    hypervisor.wait_guarded("vm1");
    assert_dropped(&hypervisor, &vm, &forged(&vm, &listener, 2), Reason::SourcePrivacy);
}
