//! A connection between two VMs that lives through everything that may happen to the rules and to the daemon.

use ipv6_sg_common::abi::Direction::{FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::{Allowed, Established};
use ipv6_sg_tests::lab::{Conversation, Counts, Keys, Pod, Process, address, eventually, port};
use nix::sys::signal::Signal;

/// Where the server listens.
const PORT: u16 = 7000;
/// How many numbers make it sure that the connection lives.
const MANY: u64 = 100;

/// Groups of which the rule for the connection is always a part.
fn groups(more_rules: &str, more: &str) -> String {
    let rule = r#"{ protocol = "tcp", ports = "7000", peers = ["group:app"] }"#;
    let egress = r#"egress = [{ protocol = 253, peers = ["::/128"] }]"#;
    format!("[security_group.web]\ningress = [{rule}{more_rules}]\n{egress}\n[security_group.app]\n{more}\n")
}

fn pod() -> Pod {
    let (vm, neighbour) = ("security_groups = [\"app\"]", "security_groups = [\"web\"]");
    Pod::new(Keys { vm, neighbour, groups: &groups("", "") })
}

fn talk(pod: &Pod) -> Conversation {
    Conversation::start(&pod.neighbour.netns, (address(&pod.neighbour), PORT), &pod.vm.netns)
}

/// Ends the connection and panics if a frame of it was lost, dropped, or taken for another connection's.
#[track_caller]
fn assert_unharmed(pod: &Pod, talk: Conversation) {
    println!("{} numbers there and back", talk.stop());
    assert_eq!(pod.dropped(), Counts::new());
    let judged = pod.judged();
    // What enters the bridge by one port leaves it by the other.
    let frames = |port, direction| {
        let of = |reason| judged.get(&(port, direction, reason)).copied().unwrap_or(0);
        (of(Allowed), of(Established))
    };
    let (there, back) = (frames("vm1", FromVm), frames("vm2", FromVm));
    assert_eq!((there.0, back.0), (1, 0), "{judged:?}");
    assert_eq!((frames("vm2", ToVm), frames("vm1", ToVm)), (there, back));
    assert!(there.1 >= MANY && back.1 >= MANY, "{judged:?}");
}

/// Waits until the daemon has read the state once more.
#[track_caller]
fn wait_read(daemon: &mut Process, loaded: &mut usize) {
    daemon.wait_for_another("state loaded", *loaded);
    *loaded = daemon.lines_with("state loaded").len();
}

#[test]
fn a_connection_outlives_what_does_not_concern_it() {
    let mut pod = pod();
    let talk = talk(&pod);
    let mut loaded = pod.daemon.lines_with("state loaded").len();
    let other =
        |number: u16| format!(", {{ protocol = \"udp\", ports = \"{number}\", peers = [\"2001:db8:{number}::/48\"] }}");
    let wide = r#", { protocol = "all", peers = ["2001:db8:100::/64", "::/1"] }"#;
    let member = "members = [\"2001:db8:5::/64\"]";
    let third = port("vm9", "06:00:00:00:00:09".parse().expect("a MAC"), "security_groups = [\"app\", \"web\"]");
    for round in 1..=4 {
        // Rules of its own group that are not its own, a rule around its own, and members that come and go.
        for (rules, more) in [(&*other(round), ""), (wide, ""), (wide, member), ("", member), ("", "")] {
            pod.hypervisor.groups(&groups(rules, more));
            wait_read(&mut pod.daemon, &mut loaded);
            talk.flow(MANY);
        }
        pod.hypervisor.site.state("30-vm9.toml", &third);
        wait_read(&mut pod.daemon, &mut loaded);
        talk.flow(MANY);
        pod.hypervisor.site.remove_state("30-vm9.toml");
        wait_read(&mut pod.daemon, &mut loaded);
        talk.flow(MANY);
    }
    pod.daemon.assert_never("ERROR");
    assert_unharmed(&pod, talk);
}

#[test]
fn a_connection_outlives_the_daemon() {
    let mut pod = pod();
    let talk = talk(&pod);
    for round in 0..4 {
        talk.flow(MANY);
        pod.daemon.signal(if round % 2 == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
        pod.daemon.wait();
        talk.flow(3 * MANY);
        // Now and then what it finds is not what it left.
        let more = if round < 2 { "" } else { ", { protocol = 47, peers = [\"::/0\"] }" };
        pod.hypervisor.groups(&groups(more, ""));
        pod.daemon = pod.hypervisor.daemon();
        talk.flow(MANY);
        pod.daemon.assert_never("ERROR");
    }
    assert_unharmed(&pod, talk);
}

#[test]
fn a_connection_outlives_shields() {
    let pod = pod();
    let talk = talk(&pod);
    for (mode, shown) in [("generic", Some("xdpgeneric")), ("off", None), ("native", Some(" xdp ")), ("off", None)] {
        talk.flow(MANY);
        pod.hypervisor.site.settings(&format!("xdp = {mode:?}"));
        pod.daemon.signal(Signal::SIGHUP);
        for port in ["vm1", "vm2"] {
            eventually("the shield", || {
                let link = pod.hypervisor.netns.run(&format!("ip link show {port}"));
                shown.map_or(!link.contains("xdp"), |shown| link.contains(shown)).then_some(())
            });
        }
        talk.flow(MANY);
    }
    pod.daemon.assert_never("ERROR");
    assert_unharmed(&pod, talk);
}
