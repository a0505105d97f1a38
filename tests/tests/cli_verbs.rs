//! What people and programs ask of a live port.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use ipv6_sg::kernel::Inspect;
use ipv6_sg_common::abi::{ABI_VERSION, Direction, maps};
use ipv6_sg_tests::frame::{Ipv6, udp};
use ipv6_sg_tests::lab::{
    Guest, Hypervisor, Ip, Process, Wire, address, eventually, forged, has_links, honest, run, table,
};
use ipv6_sg_tests::world::{NEIGHBOUR_MAC, STRANGER, VM, VM_LINK_LOCAL, VM_MAC};
use serde_json::{Value, json};

/// A guarded guest whose forged and honest frames, three and two of them, have met the guard.
fn hypervisor(more: &str) -> (Hypervisor, Guest, Guest, Process) {
    let hypervisor = Hypervisor::new();
    let vm = hypervisor.guest("vm1", VM_MAC, Ip::Silent);
    let listener = hypervisor.guest("up0", NEIGHBOUR_MAC, Ip::Silent);
    hypervisor.port("vm1", VM_MAC, "addresses = [\"2001:db8:100::100\"]\ndelegated = [\"2001:db8:f000:10::/60\"]");
    hypervisor.site.settings(more);
    let daemon = hypervisor.daemon();
    let (out, into) = (vm.wire(), listener.wire());
    (0..3).for_each(|number| out.send(&forged(&vm, &listener, number)));
    (0..2).for_each(|number| out.send(&honest(&vm, &listener, number)));
    let last = honest(&vm, &listener, 1);
    into.until("the honest frames", |frame| frame == last.bytes);
    (hypervisor, vm, listener, daemon)
}

#[test]
fn what_is_enforced() {
    let (hypervisor, _vm, _listener, daemon) = hypervisor("");
    let status = hypervisor.json("status");
    assert_eq!(status["abi"], json!(ABI_VERSION));
    assert_eq!(status["pin_dir"], json!(hypervisor.site.pins));
    assert_eq!(status["guarded"], json!(["vm1"]));
    assert_eq!(status["daemon"]["guarded"], json!(["vm1"]));
    for empty in ["quarantined", "unattached"] {
        assert_eq!(status[empty], json!([]), "{empty}");
    }
    assert_eq!(status["stray_packets"], json!(0));
    let text = hypervisor.ask("status");
    assert!(text.contains("daemon       running\nguarded      1  vm1\n"), "{text}");

    let port = |row: &Value| {
        assert_eq!(row["interface"], "vm1");
        assert_eq!(row["vm"], "vm-vm1");
        assert_eq!(row["mac"], json!(VM_MAC.to_string()));
        assert_eq!(row["flags"], json!(["has_sources"]));
        // Kernels without links cannot be asked.
        let attached = Inspect::attached("lo").map(|_| ["from_vm", "to_vm"]);
        assert_eq!(row["attached"], json!(attached));
        let (link_local, slaac) = (VM_LINK_LOCAL.to_string(), VM.to_string());
        assert_eq!(row["sources"], json!([link_local, slaac, "2001:db8:100::100", "2001:db8:f000:10::/60"]));
        assert_eq!((&row["dropped_from_vm"], &row["dropped_to_vm"]), (&json!(3), &json!(0)));
        // The forged source is in the port's own /64: what a guest with privacy extensions does.
        assert!(row["notes"][0].as_str().is_some_and(|note| note.starts_with("3 packets came from")), "{row}");
    };
    port(&hypervisor.json("ports")[0]);
    port(&hypervisor.json("ports vm1")[0]);
    let text = hypervisor.ask("ports vm1");
    let rows = table(&text);
    assert_eq!(rows[0], ["INTERFACE", "VM", "MAC", "STATE", "RULES", "DROPS FROM/TO VM", "SOURCE SET"]);
    let link_local = VM_LINK_LOCAL.to_string();
    assert_eq!(rows[1], ["vm1", "vm-vm1", &VM_MAC.to_string(), "guarded", "no", "3/0", &link_local]);

    // The kernel tells as much when the daemon is not there to ask.
    drop(daemon);
    port(&hypervisor.json("ports")[0]);
    let status = hypervisor.json("status");
    assert_eq!((&status["guarded"], &status["daemon"]), (&json!(["vm1"]), &Value::Null));
    let text = hypervisor.ask("status");
    assert!(text.contains("not running; what is enforced stays"), "{text}");
}

#[test]
fn a_guard_that_is_gone_behind_everybodys_back() {
    if !has_links() {
        return;
    }
    let (hypervisor, _vm, _listener, daemon) = hypervisor("");
    drop(daemon);
    let ifindex = hypervisor.netns.ifindex("vm1").expect("an interface");
    let link = hypervisor.site.pins.join(format!("v{ABI_VERSION}/links/{ifindex}-from_vm"));
    fs::remove_file(link).expect("a pin");
    eventually("an alarm", || (hypervisor.json("status")["unattached"] == json!(["vm1"])).then_some(()));
    assert!(hypervisor.ask("ports").contains("NOT ATTACHED"));
    assert!(hypervisor.ask("status").contains("NOT ATTACHED 1  vm1"));
}

#[test]
fn what_was_counted() {
    let (hypervisor, vm, listener, daemon) = hypervisor("");
    drop(daemon);
    let frame = honest(&vm, &listener, 0).bytes.len();
    let row = |verdict: &str, reason: &str, packets: usize| {
        let ifindex = hypervisor.netns.ifindex("vm1");
        json!({"interface": "vm1", "ifindex": ifindex, "direction": "from_vm", "verdict": verdict, "reason": reason,
               "packets": packets, "bytes": packets * frame})
    };
    let wanted = json!([row("pass", "traffic", 2), row("drop", "source_privacy", 3)]);
    assert_eq!(hypervisor.json("counters"), wanted);
    assert_eq!(hypervisor.json("counters vm1"), wanted);
    let text = hypervisor.ask("counters");
    let rows = table(&text);
    assert_eq!(rows[0], ["INTERFACE", "DIRECTION", "VERDICT", "REASON", "PACKETS", "BYTES"]);
    assert_eq!(rows[2], ["vm1", "from_vm", "drop", "source_privacy", "3", &(3 * frame).to_string()]);
    let all = hypervisor.json("counters --zero");
    let count = 2 * ipv6_sg_common::verdict::Reason::COUNT;
    assert_eq!(all.as_array().map(Vec::len), Some(count));
}

#[test]
fn drops_as_they_happen() {
    let (hypervisor, vm, listener, daemon) = hypervisor("");
    drop(daemon);
    let out = vm.wire();
    let stranger = Ipv6::new(STRANGER, address(&listener), udp(1234, 4321, &[0x5a; 400]));
    let stranger = stranger.ethernet(Direction::FromVm).from(vm.mac).to(listener.mac).build();
    // Those of the beginning wait in the ring, and are none that happen now.
    let mut monitor = hypervisor.monitor("--count 1");
    out.send(&stranger);
    assert!(monitor.wait().success(), "{:#?}", monitor.lines());
    let lines = monitor.lines();
    let [line] = &lines[..] else { panic!("not one line: {lines:#?}") };
    assert!(line.contains(" vm1 from vm source_spoofed: "), "{line}");

    let capture = hypervisor.site.path("drops.pcapng");
    let mut monitor = hypervisor.monitor(&format!("vm1 --json --count 2 --pcap {}", capture.display()));
    let frames = [forged(&vm, &listener, 7), stranger];
    frames.iter().for_each(|frame| out.send(frame));
    assert!(monitor.wait().success(), "{:#?}", monitor.lines());
    let lines: Vec<Value> = monitor.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (line, (frame, reason)) in lines.iter().zip(frames.iter().zip(["source_privacy", "source_spoofed"])) {
        assert_eq!(
            (&line["interface"], &line["direction"], &line["hook"]),
            (&json!("vm1"), &json!("from_vm"), &json!("tc"))
        );
        assert_eq!((&line["reason"], &line["length"]), (&json!(reason), &json!(frame.bytes.len())), "{line}");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let age = now.as_secs_f64() - line["time"].as_f64().expect("seconds");
        assert!((-1.0..60.0).contains(&age), "{age} seconds old");
    }

    // Any analyser opens the capture: tcpdump is one.
    let text = run(Command::new("tcpdump").args(["-n", "-e", "-r"]).arg(&capture));
    let shown: Vec<_> = text.lines().collect();
    assert_eq!(shown.len(), 2, "{text}");
    assert!(shown[0].contains(&VM_MAC.to_string()) && shown[0].contains(".4000: UDP"), "{text}");
    assert!(shown[1].contains(&format!("{STRANGER}.1234 > ")) && shown[1].contains("length 462"), "{text}");
    // With the reason of each as its comment.
    let mut bytes = Vec::new();
    File::open(&capture).and_then(|mut file| file.read_to_end(&mut bytes)).expect("our own");
    for reason in ["dropped from vm: source_privacy", "dropped from vm: source_spoofed"] {
        assert!(bytes.windows(reason.len()).any(|window| window == reason.as_bytes()), "no {reason:?}");
    }
}

#[test]
fn maps_that_people_read() {
    let (hypervisor, _vm, _listener, _daemon) = hypervisor("");
    let bpftool = |words: &str| run(Command::new("bpftool").args(["-j", "map"]).args(words.split_whitespace()));
    let path = |name: &str| hypervisor.site.pins.join(format!("v{ABI_VERSION}/maps/{name}")).display().to_string();
    let json =
        |text: String| -> Value { serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")) };
    let ifindex = hypervisor.netns.ifindex("vm1").expect("an interface");
    let value = |entry: &Value| entry["formatted"]["value"].clone();
    let ports = json(bpftool(&format!("dump pinned {}", path(maps::PORTS))));
    let port = ports
        .as_array()
        .expect("a list")
        .iter()
        .map(value)
        .find(|port| port["ifindex"] == json!(ifindex))
        .expect("the port");
    for part in ["mac", "flags", "link_local", "slaac"] {
        assert!(!port[part].is_null(), "no {part} in {port}");
    }
    assert!(port["flags"]["bits"].is_number(), "{port}");
    // From the port to its memories, which are named after it.
    let memory = u32::try_from(port["memory"].as_u64().expect("a number")).expect("small");
    for (map, name, part) in [
        (maps::COUNTERS, format!("ipv6_sg_c_{memory}"), "\"source_privacy\""),
        (maps::FRAGMENTS, format!("ipv6_sg_f_{memory}"), "["),
    ] {
        // One place only: kernels before 6.8 take a grace period for each.
        let [a, b, c, d] = memory.to_ne_bytes();
        let place = json(bpftool(&format!("lookup pinned {} key {a} {b} {c} {d}", path(map))));
        let id = place["value"].as_array().expect("octets").iter().rev().fold(0_u32, |id, octet| {
            let octet = octet.as_str().and_then(|octet| u32::from_str_radix(octet.trim_start_matches("0x"), 16).ok());
            id << 8 | octet.expect("an octet")
        });
        let shown = bpftool(&format!("show id {id}"));
        assert!(shown.contains(&format!("\"name\":\"{name}\"")), "{shown}");
        let inner = bpftool(&format!("dump id {id}"));
        assert!(inner.contains(part), "{inner}");
    }
    let listed = run(Command::new("bpftool").args(["-j", "map", "show"]));
    for name in maps::ALL {
        assert!(listed.contains(&format!("\"name\":\"{name}\"")), "no {name}");
    }
    let programs = run(Command::new("bpftool").args(["-j", "prog", "show"]));
    for name in ipv6_sg_common::abi::programs::ALL {
        assert!(programs.contains(&format!("\"name\":\"{name}\"")), "no {name}");
    }
}

/// An HTTP request in the hypervisor's namespace.
fn http(hypervisor: &Hypervisor, path: &str) -> Option<String> {
    hypervisor.netns.inside(|| {
        let mut stream = TcpStream::connect("127.0.0.1:9477").ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    })
}

#[test]
fn metrics_for_prometheus() {
    let (hypervisor, _vm, _listener, _daemon) = hypervisor("metrics = \"127.0.0.1:9477\"");
    let answer = eventually("metrics", || http(&hypervisor, "/metrics"));
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    for line in [
        "ipv6_sg_packets_total{interface=\"vm1\",direction=\"from_vm\",verdict=\"drop\",reason=\"source_privacy\"} 3\n",
        "ipv6_sg_packets_total{interface=\"vm1\",direction=\"from_vm\",verdict=\"pass\",reason=\"traffic\"} 2\n",
        "ipv6_sg_ports 1\n",
        "\nipv6_sg_rules_generation ",
        "ipv6_sg_rulesets 0\n",
        "ipv6_sg_peers 0\n",
        "ipv6_sg_peers_max 1048576\n",
        "ipv6_sg_services 0\n",
        "ipv6_sg_services_max 262144\n",
        "ipv6_sg_stray_packets_total 0\n",
        "# EOF\n",
    ] {
        assert!(answer.contains(line), "no {line:?} in {answer}");
    }
    assert!(http(&hypervisor, "/").is_some_and(|answer| answer.starts_with("HTTP/1.1 404")));
    // What the daemon knows of the rules is what `status` counts in the maps.
    let rule = "{ protocol = \"tcp\", ports = \"22-23\", peers = [\"2001:db8:5::/64\", \"2001:db8:7::/64\"] }";
    hypervisor.groups(&format!("[security_group.web]\ningress = [{rule}]\n"));
    for (keys, counts) in [("security_groups = [\"web\"]", [1, 2, 1]), ("", [0, 0, 0])] {
        hypervisor.port("vm1", VM_MAC, keys);
        let names = ["rulesets", "peers", "services"];
        let lines = names.iter().zip(counts).map(|(name, count)| format!("ipv6_sg_{name} {count}\n"));
        let lines: Vec<_> = lines.collect();
        eventually("counts of rules", || {
            let answer = http(&hypervisor, "/metrics")?;
            lines.iter().all(|line| answer.contains(line)).then_some(())
        });
        let status = &hypervisor.json("status")["rules"];
        assert_eq!(names.map(|name| status[name].clone()), counts.map(|count| json!(count)));
    }
}

#[test]
fn detach_takes_enforcement_off() {
    let (hypervisor, vm, listener, daemon) = hypervisor("");
    drop(daemon);
    let (into, bad): (Wire, _) = (listener.wire(), forged(&vm, &listener, 9));
    assert_eq!(hypervisor.ask("detach vm1"), "vm1 is not guarded any more\n");
    assert_eq!(hypervisor.programs("vm1"), 0);
    vm.wire().send(&bad);
    into.until("a frame of an unguarded port", |frame| frame == bad.bytes);
    assert_eq!(hypervisor.json("ports"), json!([]));
    // The next daemon guards it again; `--all` leaves nothing at all behind.
    drop(hypervisor.daemon());
    assert_eq!(hypervisor.programs("vm1"), 2);
    assert_eq!(hypervisor.ask("detach --all"), "vm1 is not guarded any more\n");
    assert_eq!(hypervisor.programs("vm1"), 0);
    assert_eq!(hypervisor.site.pinned().len(), 0, "{:#?}", hypervisor.site.pinned());
}
