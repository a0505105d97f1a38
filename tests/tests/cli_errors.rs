//! Bad input: one line that says what and how to mend it, the right exit code, and nothing changed.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ipv6_sg::kernel::{Inspect, Pins, PortEntry};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Outcome, Process, binary, forged, honest, outcome, port};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, VM_MAC};

/// A host with a guarded port, and everything that a refusal might change.
struct Host {
    vm: Guest,
    listener: Guest,
    hypervisor: Hypervisor,
}

type Snapshot = (Vec<PathBuf>, Vec<(u64, u64)>, BTreeMap<u32, PortEntry>);

impl Host {
    fn new() -> (Self, Process) {
        let hypervisor = Hypervisor::new();
        let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
        let listener = hypervisor.guest("up0", NEIGHBOUR_MAC, Ip::Silent);
        hypervisor.port("vm1", VM_MAC, "delegated = [\"2001:db8:f000:10::/60\"]");
        let daemon = hypervisor.daemon();
        (Self { vm, listener, hypervisor }, daemon)
    }

    fn snapshot(&self) -> Snapshot {
        let inspect = Inspect::open(Pins::new(&self.hypervisor.site.pins)).expect("pinned maps");
        let ports = inspect.ports().expect("readable maps");
        assert_eq!(ports.len(), 1, "what is compared is there");
        (self.hypervisor.site.pinned(), self.hypervisor.links("vm1"), ports)
    }

    #[track_caller]
    fn assert_guarded(&self) {
        let (out, into) = (self.vm.wire(), self.listener.wire());
        let (bad, good) = (forged(&self.vm, &self.listener, 1), honest(&self.vm, &self.listener, 2));
        let count = || self.hypervisor.counters("vm1").from_vm.of(Reason::SourcePrivacy).packets;
        let before = count();
        out.send(&bad);
        out.send(&good);
        let seen = into.until("the honest frame", |frame| frame == good.bytes);
        assert!(!seen.contains(&bad.bytes) && count() == before + 1, "the forged frame arrived");
    }

    fn try_verb(&self, words: &str) -> Outcome {
        self.hypervisor.site.try_verb(&self.hypervisor.netns, words)
    }
}

/// Exit code 1 and one line on stderr, with all of these parts in it; nothing on stdout.
#[track_caller]
fn assert_refused(what: &str, outcome: &Outcome, parts: &[&str]) {
    assert_eq!((outcome.code, outcome.out.as_str()), (Some(1), ""), "{what}: {outcome:?}");
    let [line] = outcome.err.lines().collect::<Vec<_>>()[..] else { panic!("{what}: not one line: {}", outcome.err) };
    for part in ["error: "].iter().chain(parts) {
        assert!(line.contains(part), "{what}: no {part:?} in {line}");
    }
}

#[test]
fn a_daemon_refuses_bad_state_and_settings_at_its_start() {
    let (host, daemon) = Host::new();
    drop(daemon);
    let before = host.snapshot();
    let network = |prefix: &str| format!("[network.x]\nprefixes = [\"{prefix}\"]");
    let delegated = |prefix: &str| port("vm2", NEIGHBOUR_MAC, &format!("delegated = [\"{prefix}\"]"));
    let states = [
        ("an unknown key", "[[port]]\ncolour = 1".to_owned(), vec!["90.toml:2:1: unknown field `colour`", "expected"]),
        ("a wrong type", "[network.x]\nprefixes = 6".to_owned(), vec!["90.toml:2:12: ", "prefixes = 6"]),
        ("host bits", network("2001:db8:2::1/64"), vec!["90.toml:2: ", "has host bits; write 2001:db8:2::/64"]),
        ("a /63", network("2001:db8:2::/63"), vec!["90.toml:2: ", "a /63", "write the announced /64"]),
        ("a MAC twice", port("vm2", VM_MAC, ""), vec!["90.toml:", "already the MAC of VM \"vm-vm1\"", "20-vm1.toml:"]),
        ("an interface twice", port("vm1", NEIGHBOUR_MAC, ""), vec!["90.toml:", "already the interface of VM"]),
        ("a delegation twice", delegated("2001:db8:f000:10::/60"), vec!["90.toml:", "already delegated to VM"]),
        ("overlapping delegations", delegated("2001:db8:f000::/56"), vec!["overlaps 2001:db8:f000:10::/60", "one VM"]),
        ("an unknown network", port("vm2", NEIGHBOUR_MAC, "").replace("pod", "pad"), vec!["no such network; define"]),
    ];
    for (what, text, parts) in states {
        host.hypervisor.site.state("90.toml", &text);
        assert_refused(what, &host.try_verb("daemon"), &parts);
        assert_eq!(host.snapshot(), before, "{what}");
    }
    host.hypervisor.site.remove_state("90.toml");

    let settings = [
        ("an unknown key", "xpd = \"off\"", vec!["config.toml:5:1: unknown field `xpd`, expected one of"]),
        ("a wrong value", "xdp = \"on\"", vec!["config.toml:5:7: unknown variant `on`, expected one of `off`"]),
        ("no socket", "metrics = \"9477\"", vec!["metrics = \"9477\"", "write one like 127.0.0.1:9477"]),
    ];
    for (what, more, parts) in settings {
        host.hypervisor.site.settings(more);
        for verb in ["daemon", "status", "detach --all"] {
            assert_refused(what, &host.try_verb(verb), &parts);
        }
        assert_eq!(host.snapshot(), before, "{what}");
    }
    host.hypervisor.site.settings("");
    fs::rename(host.hypervisor.site.state_dir(), host.hypervisor.site.path("moved")).expect("our own");
    assert_refused("no state_dir", &host.try_verb("daemon"), &["state.d: no such directory; create it", "state_dir"]);
    fs::remove_file(host.hypervisor.site.config()).expect("our own");
    assert_refused("no settings", &host.try_verb("daemon"), &["cannot read", "config.toml"]);
    assert_eq!(host.snapshot(), before);
    host.assert_guarded();
}

#[test]
fn interfaces_that_are_not_guarded() {
    let (host, daemon) = Host::new();
    let before = host.snapshot();
    let wanted = ["interface nope is not guarded; `ipv6-sg ports` lists those that are"];
    for verb in [
        "ports nope",
        "counters nope",
        "rules nope",
        "flows nope",
        "flows nope --count",
        "flows flush nope",
        "monitor nope --count 1",
        "detach nope",
    ] {
        assert_refused(verb, &host.try_verb(verb), &wanted);
    }
    drop(daemon);
    assert_refused("detach without a daemon", &host.try_verb("detach nope"), &wanted);
    assert_eq!(host.snapshot(), before);
    host.assert_guarded();
}

#[test]
fn nothing_is_pinned() {
    let hypervisor = Hypervisor::new();
    for verb in
        ["status", "ports", "rules", "flows", "flows flush", "counters", "monitor", "detach --all", "detach vm1"]
    {
        let wanted = ["nothing is enforced here", "start `ipv6-sg daemon`, or check pin_dir"];
        assert_refused(verb, &hypervisor.site.try_verb(&hypervisor.netns, verb), &wanted);
    }
    assert_eq!(hypervisor.site.pinned().len(), 0);
}

#[test]
fn what_another_has_already() {
    let (host, daemon) = Host::new();
    let before = host.snapshot();
    let wanted = ["another daemon answers on", "api.sock: stop it first, or set another run_dir"];
    assert_refused("a second daemon", &host.try_verb("daemon"), &wanted);
    // The refused one has not taken the first one's socket with it.
    assert!(!host.hypervisor.json("status")["daemon"].is_null());

    let _monitor = host.hypervisor.monitor("");
    let second = host.try_verb("monitor --count 0");
    assert_refused("a second monitor", &second, &["another monitor is running", "end that one first"]);

    drop(daemon);
    let listener = host.hypervisor.netns.inside(|| TcpListener::bind("127.0.0.1:9477").expect("a free port"));
    host.hypervisor.site.settings("metrics = \"127.0.0.1:9477\"");
    let wanted = ["cannot serve metrics on 127.0.0.1:9477: set another address in `metrics`", "Address already in use"];
    assert_refused("a metrics port in use", &host.try_verb("daemon"), &wanted);
    assert_eq!(host.snapshot(), before);
    host.assert_guarded();
    drop(listener);
    let _daemon = host.hypervisor.daemon();
}

/// The verbs, without the rights of root; `drop` says which.
fn without(host: &Hypervisor, drop: &[&str], words: &str) -> Outcome {
    // Nobody may look into the directory of the build.
    let copy = host.site.path("ipv6-sg");
    if !copy.exists() {
        fs::copy(binary(), &copy).expect("room for a copy");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("our own");
    }
    let mut command = host.netns.command("setpriv");
    command.args(drop).arg(copy).args(words.split_whitespace()).arg("--config").arg(host.site.config());
    outcome(&mut command)
}

const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

#[test]
fn without_root() {
    let (host, daemon) = Host::new();
    let before = host.snapshot();
    for verb in ["status", "ports", "rules", "flows", "flows flush", "counters", "monitor", "detach --all", "daemon"] {
        let outcome = without(&host.hypervisor, &NOBODY, verb);
        assert_refused(verb, &outcome, &["root"]);
    }
    drop(daemon);
    for verb in ["status", "ports", "rules", "flows", "flows flush", "counters", "monitor", "detach vm1", "daemon"] {
        let outcome = without(&host.hypervisor, &NOBODY, verb);
        assert_refused(verb, &outcome, &["run as root"]);
    }
    // As root in all but the right to load programs.
    let drop_bpf = ["--bounding-set=-sys_admin,-bpf", "--inh-caps=-sys_admin,-bpf"];
    assert_refused(
        "no CAP_BPF",
        &without(&host.hypervisor, &drop_bpf, "daemon"),
        &["eBPF needs root, or CAP_BPF", "run as root"],
    );
    assert_eq!(host.snapshot(), before);
    host.assert_guarded();
}

#[test]
fn without_a_bpffs() {
    let hypervisor = Hypervisor::new();
    let pins = hypervisor.site.path("pins");
    let settings = fs::read_to_string(hypervisor.site.config()).expect("our own");
    let elsewhere = settings.replace(hypervisor.site.pins.to_str().expect("text"), pins.to_str().expect("text"));
    fs::write(hypervisor.site.config(), elsewhere).expect("our own");
    let drop_mount = ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
    let wanted =
        ["is not on a bpffs and none could be mounted there", "mount one with `mount -t bpf bpf", "or set pin_dir"];
    assert_refused("no bpffs", &without(&hypervisor, &drop_mount, "daemon"), &wanted);
    assert!(!pins.exists(), "the refused daemon left a directory");
    assert!(!hypervisor.site.path("run/api.sock").exists(), "the refused daemon left its socket");
}

#[test]
fn usage() {
    let hypervisor = Hypervisor::new();
    for words in
        ["detach", "detach vm1 --all", "guard", "status --yaml", "monitor --count many", "flows flush --port ssh", ""]
    {
        let outcome = hypervisor.site.try_verb(&hypervisor.netns, words);
        assert_eq!((outcome.code, outcome.out.as_str()), (Some(2), ""), "{words}: {outcome:?}");
        assert!(outcome.err.contains("--help"), "{words}: {outcome:?}");
    }
}
