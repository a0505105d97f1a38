//! What people and programs ask of rules on a live port, with and without the daemon and the state.

use std::fs;

use ipv6_sg_common::abi::{MAX_PEERS, MAX_SERVICES};
use ipv6_sg_tests::frame::flags::{ACK, SYN};
use ipv6_sg_tests::frame::{Frame, Ipv6, tcp, udp};
use ipv6_sg_tests::lab::{Web, eventually};
use ipv6_sg_tests::world::{STRANGER, VM};
use serde_json::{Value, json};

/// SSH from afar, and names for members, of which the VM is one.
const WEB: &str = "\
[security_group.web]
ingress = [
  { protocol = \"tcp\", ports = \"22\", peers = [\"2a00:f10:121:b00::/64\"] },
  { protocol = \"udp\", ports = \"53\", peers = [\"group:web\"] },
]
members = [\"2001:db8:5::/64\"]
";

#[test]
fn as_written_and_as_enforced() {
    let (web, daemon) = Web::new(WEB, "");
    let hypervisor = &web.hypervisor;
    drop(daemon);
    let rows = hypervisor.json("rules");
    let row = &rows[0];
    assert_eq!((&row["interface"], &row["vm"]), (&json!("vm1"), &json!("vm-vm1")));
    assert_eq!(row["security_groups"], json!(["web"]));
    let ssh = json!({"protocol": "tcp", "ports": "22"});
    let names = json!({"protocol": "udp", "ports": "53"});
    let rule = |index: usize, traffic: &Value, peer: &str| {
        let mut rule = traffic.clone();
        rule["group"] = json!("web");
        rule["direction"] = json!("ingress");
        rule["index"] = json!(index);
        rule["peers"] = json!([peer]);
        rule
    };
    assert_eq!(
        row["written"],
        json!({"ingress": [rule(0, &ssh, "2a00:f10:121:b00::/64"), rule(1, &names, "group:web")], "egress": []})
    );
    let ruleset = row["enforced"]["ingress"]["ruleset"].as_u64().expect("a number");
    assert_eq!(
        row["enforced"],
        json!({
            "ingress": {
                "access": "rules", "peers": 3, "ruleset": ruleset, "table": [
                    {"prefix": "2001:db8:5::/64", "allowed": [names]},
                    {"prefix": VM.to_string(), "allowed": [names]},
                    {"prefix": "2a00:f10:121:b00::/64", "allowed": [ssh]},
                ]
            },
            "egress": {"access": "everything", "peers": 0, "ruleset": null, "table": []}
        })
    );
    assert_eq!((&row["differs"], &row["notes"]), (&json!([]), &json!([])));
    // A port without groups has none of it.
    let row = &rows[1];
    for key in ["security_groups", "written", "enforced"] {
        assert_eq!(row[key], Value::Null, "{key}");
    }
    assert_eq!((&row["interface"], &row["differs"]), (&json!("vm2"), &json!([])));

    assert_eq!(
        hypervisor.ask("rules"),
        format!(
            "\
vm1: VM vm-vm1, security groups web
  ingress as written
    web ingress[0]  tcp 22 from 2a00:f10:121:b00::/64
    web ingress[1]  udp 53 from group:web
  ingress as enforced: 3 peers, ruleset {ruleset}
    2001:db8:5::/64                  udp 53
    {VM}  udp 53
    2a00:f10:121:b00::/64            tcp 22
  egress as written: no rule
  egress as enforced: everything
vm2: VM vm-vm2, no rules apply
"
        )
    );
    let ports = hypervisor.json("ports");
    assert_eq!((&ports[0]["flags"], &ports[1]["flags"]), (&json!(["has_rules"]), &json!([])));
    let text = hypervisor.ask("ports");
    let rules = |line: usize| text.lines().nth(line).and_then(|line| line.split_whitespace().nth(4));
    assert_eq!((rules(0), rules(1), rules(3)), (Some("RULES"), Some("yes"), Some("no")), "{text}");
    let status = &hypervisor.json("status")["rules"];
    let generation = status["generation"].as_u64().expect("a number");
    assert_eq!(
        *status,
        json!({"generation": generation, "rulesets": 1, "peers": 3, "most_peers": MAX_PEERS, "services": 2,
               "most_services": MAX_SERVICES})
    );
    let line = format!("generation {generation}, 1 ruleset, 3 of {MAX_PEERS} peers, 2 of {MAX_SERVICES} services\n");
    assert!(hypervisor.ask("status").contains(&format!("rules        {line}")));
}

#[test]
fn many_peers_are_cut_and_all_are_to_be_had() {
    let (web, _daemon) = Web::new(WEB, "");
    let hypervisor = &web.hypervisor;
    let members: Vec<_> = (0..30).map(|number| format!("\"2001:db8:6:{number:x}::/64\"")).collect();
    hypervisor.groups(&WEB.replace("\"2001:db8:5::/64\"", &members.join(", ")));
    let enforced = || hypervisor.json("rules vm1")[0]["enforced"]["ingress"]["table"].clone();
    eventually("all members", || (enforced().as_array().map(Vec::len) == Some(32)).then_some(()));
    let peers = |words: &str| {
        let text = hypervisor.ask(words);
        let shown = text.lines().filter(|line| line.ends_with(" udp 53") && line.contains("2001:db8:6:")).count();
        (shown, text.contains("    … and 12 more: --all shows them\n"))
    };
    assert_eq!((peers("rules vm1"), peers("rules vm1 --all")), ((20, true), (30, false)));
}

#[test]
fn what_is_written_and_not_enforced() {
    let (web, daemon) = Web::new(WEB, "");
    let hypervisor = &web.hypervisor;
    drop(daemon);
    let differs = |words: &str| {
        let row = hypervisor.json(words)[0].clone();
        (row["differs"].clone(), row["notes"].to_string())
    };
    let site = &hypervisor.site;
    hypervisor.groups(&WEB.replace("\"22\"", "\"23\""));
    let (sides, notes) = differs("rules vm1");
    assert_eq!(sides, json!(["ingress"]));
    let note = "what is enforced for ingress is not what the state says: the daemon is not running";
    assert!(notes.contains(note), "{notes}");
    let text = hypervisor.ask("rules vm1");
    assert!(text.contains(&format!("vm1: {note}")), "{text}");
    // What a packet would get is what is enforced; that the files say otherwise is said.
    let explain = |port: u16| {
        let frame = Web::to_vm(Ipv6::new(STRANGER, VM, tcp(50_000, port, SYN)));
        hypervisor.json(&format!("explain vm1 --to-vm --hex {frame:?}"))["frames"][0].clone()
    };
    let (old, new) = (explain(22), explain(23));
    assert_eq!((&old["reason"], &old["rule"]), (&json!("allowed"), &Value::Null));
    assert_eq!(old["rule_text"], "what is enforced allows it, and no rule of the state: see `ipv6-sg rules vm1`");
    assert_eq!((&new["reason"], &new["rule"]), (&json!("ingress_denied"), &Value::Null));
    let text =
        "web ingress[0] allows it and is not enforced: tcp 23 from 2a00:f10:121:b00::/64; see `ipv6-sg rules vm1`";
    assert_eq!(new["rule_text"], text);

    site.state("20-vm1.toml", "");
    let (sides, notes) = differs("rules vm1");
    assert_eq!((sides, notes.as_str()), (Value::Null, "[\"no port of the state has this interface\"]"));
    assert!(hypervisor.ask("rules vm1").starts_with("vm1: security groups not known\n"));

    // Files that cannot be read leave the compiled form.
    hypervisor.groups("nonsense");
    let text = hypervisor.ask("rules vm1");
    let end = "here is what is enforced alone, for the state cannot be read: ";
    assert!(text.contains("  ingress as enforced: 3 peers") && text.contains(end), "{text}");
    assert!(!text.contains("as written"), "{text}");
    let row = &hypervisor.json("rules vm1")[0];
    assert_eq!((&row["written"], &row["differs"]), (&Value::Null, &Value::Null));
    assert!(row["notes"][0].as_str().is_some_and(|note| note.starts_with(end)), "{row}");
    let old = explain(22)["rule_text"].to_string();
    assert!(old.contains("a rule allows it, and the state that names it cannot be read: "), "{old}");
    fs::remove_dir_all(site.state_dir()).expect("our own");
    assert!(hypervisor.ask("rules").contains("no such directory"), "no state directory");
}

#[test]
fn explain_judges_by_the_flows_that_are_there() {
    let (web, daemon) = Web::new(WEB, "");
    let hypervisor = &web.hypervisor;
    let [open, goes_on] = [SYN, ACK].map(|flags| Web::to_vm(Ipv6::new(STRANGER, VM, tcp(50_000, 22, flags))));
    let answer = Web::from_vm(Ipv6::new(VM, STRANGER, tcp(22, 50_000, SYN | ACK)));
    let explain = |way: &str, frames: &[&Frame]| {
        let frames: Vec<_> = frames.iter().map(|frame| format!("--hex {frame:?}")).collect();
        let report = hypervisor.json(&format!("explain vm1 --{way} {}", frames.join(" ")));
        assert_eq!(report["judged_by"], "kernel");
        let Value::Array(frames) = report["frames"].clone() else { panic!("no list: {report}") };
        frames
    };
    let rule = |frame: &Value| (frame["rule"]["group"].clone(), frame["rule"]["index"].clone());
    // Two frames are a sequence, of which the kernel learns nothing.
    for _ in 0..2 {
        let frames = explain("to-vm", &[&open, &goes_on]);
        assert_eq!([&frames[0]["reason"], &frames[1]["reason"]], ["allowed", "established"]);
        assert_eq!((&frames[0]["flow"], &frames[1]["flow"]["state"]), (&Value::Null, &json!("opening")));
        assert!(frames.iter().all(|frame| rule(frame) == (json!("web"), json!(0))), "{frames:?}");
    }
    assert_eq!(hypervisor.json("flows"), json!([]));

    web.deliver(&open);
    drop(daemon);
    for frame in [&explain("from-vm", &[&answer])[0], &explain("to-vm", &[&goes_on])[0]] {
        assert_eq!((&frame["reason"], rule(frame)), (&json!("established"), (json!("web"), json!(0))), "{frame}");
        assert_eq!((&frame["flow"]["vm_port"], &frame["flow"]["opened"]), (&json!(22), &json!("to_vm")));
        assert_eq!(frame["rule_text"], "web ingress[0]: tcp 22 from 2a00:f10:121:b00::/64");
    }
    let text = hypervisor.ask(&format!("explain vm1 --to-vm --hex {goes_on:?}"));
    let flow = format!("  flow: tcp, {VM}.22 and {STRANGER}.50000, opened to_vm, opening, idle ");
    assert!(text.contains(&flow), "{text}");
    // Without the flow, the answer is the VM's own beginning.
    hypervisor.ask("flows flush");
    let frame = &explain("from-vm", &[&answer])[0];
    assert_eq!((&frame["reason"], &frame["flow"], &frame["rule"]), (&json!("allowed"), &Value::Null, &Value::Null));
    assert!(frame["rule_text"].as_str().is_some_and(|text| text.starts_with("no egress rule: ")), "{frame}");
    // Members are who they are on this host.
    let names = Web::to_vm(Ipv6::new("2001:db8:5::7".parse().expect("an address"), VM, udp(53, 53, b"?")));
    assert_eq!(rule(&explain("to-vm", &[&names])[0]), (json!("web"), json!(1)));
}
