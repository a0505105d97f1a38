//! What goes wrong between CloudStack's agent, the daemon and the disk: nothing that was enforced is lost, nothing is opened.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::frame::ipv4::ping;
use ipv6_sg_tests::lab::{CloudHost, Nic, address, eventually, run};
use ipv6_sg_tests::world::VM_PRIVACY;
use nix::sys::signal::Signal;

const SSH: &str = "I:tcp;22;22;::/0,NEXT;";
const WEB: &str = "I:tcp;80;80;::/0,NEXT;";

/// Nobody says anything again.
#[test]
fn what_was_said_outlives_the_daemon() {
    let host = CloudHost::new("");
    let mut daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    agent.done(&nic.secondary("2001:db8:100::100", true));
    let logs = agent.done("get_rule_logs_for_vms");
    let links = host.hypervisor.links("vnet1");
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        daemon.signal(signal);
        daemon.wait();
        // Without the daemon: enforced, and refused with a word.
        assert!(host.opens(&host.vm, 22));
        let error = agent.refused(&nic.ruled(4, WEB));
        assert!(error.starts_with("no daemon answers on ") && error.ends_with(": start ipv6-sg"), "{error}");
        assert_eq!(agent.refused("get_rule_logs_for_vms"), error);
        daemon = host.hypervisor.daemon();
        host.hypervisor.assert_adopted("vnet1", &links);
        assert_eq!(agent.done("get_rule_logs_for_vms"), logs);
        assert!(host.opens(&host.vm, 22) && !host.opens(&host.vm, 80));
        assert_eq!(host.sends_from(&host.vm, "2001:db8:100::100".parse().expect("an address")), Reason::Allowed);
    }
    // The agent's next attempt.
    agent.done(&nic.ruled(4, WEB));
    assert!(host.opens(&host.vm, 80));
    daemon.assert_never("ERROR");
}

/// The host was rebooted: taps are made anew, and the maps are empty.
#[test]
fn what_was_said_outlives_a_reboot() {
    let host = CloudHost::new("quarantine = [\"vnet*\"]");
    let daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    drop(daemon);
    host.hypervisor.ask("detach --all");
    host.hypervisor.netns.ip("link del vnet1");
    let _daemon = host.hypervisor.daemon();
    host.hypervisor.plug(&host.vm);
    host.hypervisor.set_tap_mac(&host.vm);
    eventually("the port of the VM that is known", || {
        let ports = host.hypervisor.json("ports");
        (ports[0]["mac"] == nic.mac.to_string()).then_some(())
    });
    assert!(host.opens(&host.vm, 22));
    assert_eq!(agent.done("get_rule_logs_for_vms"), "i-2-5-VM,5,10.1.1.5,1,sig3,3\n");
}

/// Somebody took programs off, or emptied maps. The agent says what it said before, and is answered when it holds again.
#[test]
fn damage_is_repaired_by_saying_the_same_again() {
    let host = CloudHost::new("");
    let _daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    let pins = host.hypervisor.site.pinned();
    let links: Vec<_> = pins.iter().filter(|path| path.to_string_lossy().contains("/links/")).collect();
    if host.hypervisor.programs("vnet1") > 0 && !links.is_empty() {
        for link in links {
            fs::remove_file(link).expect("a pinned link");
        }
        // The kernel takes them off a moment later.
        eventually("an open port", || (host.hypervisor.programs("vnet1") == 0).then_some(()));
        agent.done(&nic.ruled(3, SSH));
        assert_eq!(host.sends_from(&host.vm, VM_PRIVACY), Reason::SourcePrivacy);
    }
    // What its rules allow, gone from the kernel.
    let peers = host.hypervisor.site.pinned().into_iter().find(|path| path.ends_with("maps/ipv6_sg_peers"));
    let peers = peers.expect("a pinned map");
    let dump = run(Command::new("bpftool").args(["-j", "map", "dump", "pinned"]).arg(&peers));
    let entries: serde_json::Value = serde_json::from_str(&dump).expect("bpftool prints JSON");
    for entry in entries.as_array().expect("a list") {
        let key = entry["key"].as_array().expect("bytes").iter().map(|byte| byte.as_str().expect("text").to_owned());
        let mut delete = Command::new("bpftool");
        delete.args(["map", "delete", "pinned"]).arg(&peers).args(["key", "hex"]);
        run(delete.args(key.map(|byte| byte.trim_start_matches("0x").to_owned())));
    }
    assert!(!host.opens(&host.vm, 22));
    agent.done(&nic.ruled(3, SSH));
    assert!(host.opens(&host.vm, 22));
    assert_eq!(host.sends_from(&host.vm, address(&host.vm)), Reason::Allowed);
}

/// A record that is none is set aside, named, and its VM stays as it is until it is said anew.
#[test]
fn a_corrupt_record() {
    let host = CloudHost::new("");
    let daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    let other = host.another("vnet2", 9);
    let next = Nic::new(6, &other);
    agent.run(&next.vm, 2, &[&next]);
    agent.done(&next.started());
    agent.done(&next.ruled(8, WEB));
    drop(daemon);
    let record = host.hypervisor.site.path("data/cloudstack/i-2-5-VM.json");
    let text = fs::read_to_string(&record).expect("a record");
    fs::write(&record, &text[..text.len() / 2]).expect("our own directory");

    let mut daemon = host.hypervisor.daemon();
    daemon.wait_for("i-2-5-VM.json is no record of a VM and is set aside as ");
    assert!(!record.exists() && record.with_extension("json.aside").exists());
    assert!(host.opens(&host.vm, 22) && !host.opens(&host.vm, 80));
    assert_eq!(host.sends_from(&host.vm, VM_PRIVACY), Reason::SourcePrivacy);
    assert!(host.opens(&other, 80));
    // The server hears that it has to be told again.
    let logs = agent.done("get_rule_logs_for_vms");
    assert_eq!(logs, "i-2-5-VM,5,,-1,_initial_,-1;i-2-6-VM,6,10.1.1.6,2,sig8,8\n");
    agent.done(&nic.ruled(3, SSH));
    assert!(host.opens(&host.vm, 22));
    let logs = agent.done("get_rule_logs_for_vms");
    assert_eq!(logs, "i-2-5-VM,5,10.1.1.5,1,sig3,3;i-2-6-VM,6,10.1.1.6,2,sig8,8\n");
}

/// What cannot be kept is enforced all the same, and the agent is told to try again.
#[test]
fn a_disk_that_takes_nothing() {
    let host = CloudHost::new("");
    let data = host.hypervisor.site.path("data/cloudstack");
    fs::create_dir_all(&data).expect("our own directory");
    let daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    // Root writes where nobody may: a directory in the place of what is written first stops him too.
    let other = host.another("vnet2", 9);
    let next = Nic::new(6, &other);
    let full = |vm: &str| data.join(format!(".{vm}.json.new"));
    for vm in [&nic.vm, &next.vm] {
        fs::create_dir(full(vm)).expect("our own directory");
        fs::write(full(vm).join("in the way"), "").expect("our own directory");
    }
    let error = agent.refused(&nic.ruled(4, WEB));
    assert!(error.contains("i-2-5-VM is enforced, and not kept beyond the daemon's end: cannot write "), "{error}");
    assert!(host.opens(&host.vm, 80) && !host.opens(&host.vm, 22));
    agent.run(&next.vm, 2, &[&next]);
    agent.refused(&next.started());
    assert_eq!(host.sends_from(&other, VM_PRIVACY), Reason::SourcePrivacy);
    // Nobody else is told that: each VM has a file of its own.
    let third = host.another("vnet3", 10);
    let sound = Nic::new(7, &third);
    agent.run(&sound.vm, 3, &[&sound]);
    agent.done(&sound.started());
    assert!(agent.refused(&nic.ruled(4, WEB)).contains("i-2-5-VM is enforced, and not kept"));
    assert!(agent.done("get_rule_logs_for_vms").starts_with("i-2-5-VM,5,10.1.1.5,1,sig4,4;"));
    // There is room again, and the agent tries again.
    for vm in [&nic.vm, &next.vm] {
        fs::remove_dir_all(full(vm)).expect("our own directory");
    }
    agent.done(&nic.ruled(4, WEB));
    agent.done(&next.started());
    drop(daemon);
    let _daemon = host.hypervisor.daemon();
    assert!(host.opens(&host.vm, 80) && !host.opens(&host.vm, 22));
    assert_eq!(host.sends_from(&other, VM_PRIVACY), Reason::SourcePrivacy);
}

/// A call that cannot be done leaves no tap open: its VM starts all the same, and has its MAC and nothing more.
#[test]
fn a_start_that_is_refused() {
    let host = CloudHost::new("");
    let daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.secondary("2001:db8:f000:10::/60", true));
    let other = host.another("vnet2", 9);
    let next = Nic::new(6, &other);
    agent.run(&next.vm, 2, &[&next]);
    let bare = || {
        eventually("a guarded tap", || (host.hypervisor.programs("vnet2") > 0).then_some(()));
        assert_eq!(host.sends_from(&other, address(&other)), Reason::SourceSpoofed);
        assert_eq!(host.sends_from(&other, VM_PRIVACY), Reason::SourceSpoofed);
        let legacy = ping(Direction::FromVm).from(other.mac).to(host.outside.mac).build();
        assert_eq!(host.judged_frame(&other, Direction::FromVm, &legacy), Reason::Ipv4);
    };
    // One that is understood, and one that is not.
    for secondary in ["2001:db8:f000:10::/61;", "2001:db8:f000:99::/60;"] {
        agent.refused(&next.with_secondary(secondary).started());
        bare();
        assert!(agent.done("get_rule_logs_for_vms").contains("i-2-6-VM,6,,2,_initial_,-1"));
        agent.refused(&next.with_secondary(secondary).checked());
    }
    // It is kept, as everything is.
    drop(daemon);
    let _daemon = host.hypervisor.daemon();
    bare();
    agent.done(&next.started());
    assert_eq!(host.sends_from(&other, address(&other)), Reason::Allowed);
    assert_eq!(host.sends_from(&host.vm, address(&host.vm)), Reason::Allowed);
}

/// Files of an operator against what the agent has said: who came later is refused, and what is enforced stays.
#[test]
fn files_that_contradict_the_agent() {
    let host = CloudHost::new("");
    let mut daemon = host.hypervisor.daemon();
    let (agent, nic) = (host.agent(), host.started());
    agent.done(&nic.ruled(3, SSH));
    let file = "[[port]]\nvm = \"hand\"\ninterface = \"vnet1\"\nmac = \"06:00:00:00:00:77\"\nnetwork = \"pod\"\n";
    host.hypervisor.site.state("50-hand.toml", file);
    daemon.wait_for("state not loaded, the last good one stays: ");
    assert!(host.opens(&host.vm, 22));
    // The daemon starts all the same, by the files, and leaves as it is what is said of it in two ways.
    drop(daemon);
    let mut daemon = host.hypervisor.daemon();
    daemon.wait_for("CloudStack has said of VM i-2-5-VM what cannot be: ");
    // Others are served meanwhile.
    let other = host.another("vnet2", 9);
    let next = Nic::new(6, &other);
    agent.run(&next.vm, 2, &[&next]);
    agent.done(&next.started());
    assert_eq!(host.sends_from(&other, VM_PRIVACY), Reason::SourcePrivacy);
    host.hypervisor.site.remove_state("50-hand.toml");
    daemon.wait_for("state loaded");
    agent.done(&nic.ruled(3, SSH));
    assert!(host.opens(&host.vm, 22));
}

/// The socket is root's, and takes neither garbage nor too much.
#[test]
fn the_socket() {
    let host = CloudHost::new("");
    let daemon = host.hypervisor.daemon();
    let socket = host.hypervisor.site.path("run/api.sock");
    assert_eq!(fs::metadata(&socket).expect("a socket").permissions().mode() & 0o777, 0o600);
    let curl = |more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--output", "-", "--write-out", " %{http_code}", "--unix-socket"]);
        ipv6_sg_tests::lab::outcome(curl.arg(&socket).args(more).arg("http://localhost/v1/cloudstack/agent"))
    };
    for (body, code) in [
        ("{", "400"),
        ("[]", "422"),
        ("{\"arguments\":[1]}", "422"),
        ("{\"arguments\":[]}", "409"),
        ("{\"x\":1}", "422"),
    ] {
        let outcome = curl(&["--header", "Content-Type: application/json", "--data", body]);
        assert!(outcome.out.ends_with(code), "{body}: {outcome:?}");
    }
    let large = host.hypervisor.site.path("large");
    fs::write(&large, format!("{{\"arguments\":[{:?}]}}", "x".repeat(600_000))).expect("our own directory");
    let outcome = curl(&["--header", "Content-Type: application/json", "--data", &format!("@{}", large.display())]);
    assert!(outcome.out.ends_with("413"), "{outcome:?}");
    let nobody = ipv6_sg_tests::lab::outcome(
        Command::new("setpriv")
            .args([
                "--reuid",
                "65534",
                "--regid",
                "65534",
                "--clear-groups",
                "curl",
                "--silent",
                "--show-error",
                "--unix-socket",
            ])
            .arg(&socket)
            .arg("http://localhost/v1/status"),
    );
    assert!(nobody.code != Some(0) && nobody.out.is_empty(), "{nobody:?}");
    // It serves who asks well.
    host.started();
    daemon.assert_never("panicked");
}
