//! Which rule decides, by the state alone.

use serde_json::{Value, json};

use crate::host::{Host, STATE};

/// Of vnet11's VM.
const VM: &str = "20010db800010000047a88fffe00008b";
/// In no rule but the one for everybody.
const STRANGER: &str = "20010db8000900000000000000000001";
/// Of those who may ask for an echo.
const FRIEND: &str = "20010db8009900000000000000000001";

const TCP: &str = "06";
const UDP: &str = "11";
const ICMPV6: &str = "3a";

/// A frame to vnet11's VM.
fn to_vm(from: &str, protocol: &str, upper: &str) -> String {
    frame("067a8800008b 020000000001", from, VM, protocol, upper)
}

/// A frame from vnet11's VM.
fn from_vm(to: &str, protocol: &str, upper: &str) -> String {
    frame("020000000001 067a8800008b", VM, to, protocol, upper)
}

fn frame(macs: &str, from: &str, to: &str, protocol: &str, upper: &str) -> String {
    let length = upper.chars().filter(char::is_ascii_hexdigit).count() / 2;
    format!("{macs} 86dd 60000000 {length:04x} {protocol} 40 {from} {to} {upper}")
}

fn tcp(from: u16, to: u16, flags: u8) -> String {
    format!("{from:04x} {to:04x} 00000001 00000000 50{flags:02x} ffff 0000 0000")
}

fn icmpv6(kind: u8, code: u8) -> String {
    format!("{kind:02x} {code:02x} 0000 1234 0001")
}

/// What is said of each of the frames that cross vnet11 in this direction one after the other.
#[track_caller]
fn explained(host: &Host, way: &str, frames: &[String]) -> Vec<Value> {
    let hex = frames.iter().flat_map(|frame| ["--hex", frame]);
    let run = host.run(&["explain", "vnet11", way, "--json"].into_iter().chain(hex).collect::<Vec<_>>());
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&run.out).unwrap();
    let Value::Array(frames) = report["frames"].clone() else { panic!("no list: {report}") };
    frames
}

#[test]
fn the_rule_that_decides() {
    let host = Host::new("", STATE);
    let ssh = json!({
        "group": "web", "direction": "ingress", "index": 0, "protocol": "tcp", "ports": "22", "peers": ["::/0"]
    });
    let ping = json!({
        "group": "web", "direction": "ingress", "index": 1, "protocol": "icmpv6", "type": 128, "code": 0,
        "peers": ["2001:db8:99::/64", "group:web"]
    });
    let any = json!({ "group": "web", "direction": "egress", "index": 0, "protocol": "all", "peers": ["::/0"] });
    let (ssh_text, any_text) = ("web ingress[0]: tcp 22 from ::/0", "web egress[0]: all to ::/0");
    let ping_text = "web ingress[1]: icmpv6 type 128 code 0 from 2001:db8:99::/64, group:web";
    for (way, frame, reason, rule, text) in [
        ("--to-vm", to_vm(STRANGER, TCP, &tcp(50_000, 22, 2)), "allowed", &ssh, ssh_text),
        // Seen first in mid-stream: the rules decide all the same.
        ("--to-vm", to_vm(STRANGER, TCP, &tcp(50_000, 22, 16)), "allowed", &ssh, ssh_text),
        ("--to-vm", to_vm(FRIEND, ICMPV6, &icmpv6(128, 0)), "allowed", &ping, ping_text),
        ("--from-vm", from_vm(STRANGER, UDP, "c350 0035 0008 0000"), "allowed", &any, any_text),
        (
            "--to-vm",
            to_vm(STRANGER, TCP, &tcp(50_000, 80, 2)),
            "ingress_denied",
            &Value::Null,
            "no ingress rule of web allows it",
        ),
        (
            "--to-vm",
            to_vm(STRANGER, ICMPV6, &icmpv6(128, 0)),
            "ingress_denied",
            &Value::Null,
            "no ingress rule of web allows it",
        ),
        // `all` allows only types that have a meaning.
        (
            "--from-vm",
            from_vm(STRANGER, ICMPV6, &icmpv6(200, 0)),
            "icmp_needs_rule",
            &Value::Null,
            "no egress rule of web names its type",
        ),
    ] {
        let frames = explained(&host, way, std::slice::from_ref(&frame));
        let said = &frames[0];
        assert_eq!((&said["reason"], &said["rule"]), (&json!(reason), rule), "{frame}");
        assert_eq!((&said["rule_text"], &said["flow"]), (&json!(text), &Value::Null), "{frame}");
        assert_eq!(said["steps"].as_array().unwrap().last().unwrap()["step"], "rules", "{frame}");
    }
    let run = host.run(&["explain", "vnet11", "--to-vm", "--hex", &to_vm(STRANGER, TCP, &tcp(50_000, 22, 2))]);
    let end = format!(
        "  pass  security-group rules\nPASS allowed: The first packet of a flow, or a single message, that a \
                       rule allows.\n  rule: {ssh_text}\n  policy: docs/policy.md#security-group-rules\n"
    );
    assert!(run.out.ends_with(&end), "{}", run.out);
}

#[test]
fn frames_open_flows_among_themselves() {
    let host = Host::new("", STATE);
    let frames = explained(&host, "--to-vm", &[2, 16].map(|flags| to_vm(STRANGER, TCP, &tcp(50_000, 22, flags))));
    assert_eq!((&frames[0]["reason"], &frames[1]["reason"]), (&json!("allowed"), &json!("established")));
    assert_eq!(
        frames[1]["flow"],
        json!({
            "protocol": "tcp", "vm_address": "2001:db8:1:0:47a:88ff:fe00:8b", "vm_port": 22,
            "peer_address": "2001:db8:9::1", "peer_port": 50_000, "identifier": null, "opened": "to_vm",
            "state": "opening", "idle_seconds": 0, "due": false, "cut": false
        })
    );
    assert_eq!((&frames[0]["rule"], &frames[0]["rule_text"]), (&frames[1]["rule"], &frames[1]["rule_text"]));
    // What is refused opens none.
    let refused = to_vm(STRANGER, TCP, &tcp(50_000, 80, 2));
    let frames = explained(&host, "--to-vm", &[refused.clone(), refused]);
    assert!(frames.iter().all(|frame| frame["reason"] == "ingress_denied" && frame["flow"].is_null()), "{frames:?}");
}

#[test]
fn ports_without_rules_of_a_direction_and_without_any() {
    let none = STATE.replace("security_groups = [\"web\"]", "security_groups = []");
    let host = Host::new("", &none);
    for (way, frame, reason, text) in [
        (
            "--from-vm",
            from_vm(STRANGER, TCP, &tcp(50_000, 22, 2)),
            "allowed",
            "no egress rule: everything may leave, but for ICMPv6 types that a rule must name",
        ),
        (
            "--to-vm",
            to_vm(STRANGER, TCP, &tcp(50_000, 22, 2)),
            "ingress_denied",
            "no ingress rule: nothing may come in",
        ),
    ] {
        let said = &explained(&host, way, &[frame])[0];
        assert_eq!((&said["reason"], &said["rule"]), (&json!(reason), &Value::Null));
        assert_eq!(said["rule_text"], text);
    }
    let host = Host::new("", &STATE.replace("security_groups = [\"web\"]\n", ""));
    let said = &explained(&host, "--to-vm", &[to_vm(STRANGER, TCP, &tcp(50_000, 22, 2))])[0];
    assert_eq!((&said["reason"], &said["rule_text"]), (&json!("traffic"), &Value::Null));
}
