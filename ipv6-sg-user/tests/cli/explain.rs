use serde_json::{Value, json};

use crate::host::{Host, STATE, done, refused};

/// A router advertisement from vnet11's VM.
const RA: &str = "33:33:00:00:00:01 06:7a:88:00:00:8b 86dd 6000 0000 0010 3aff \
                  fe80000000000000047a88fffe00008b ff020000000000000000000000000001 8600 0000 4000 0708 0000 0000 0000 0000";

/// UDP in two fragments, from 2001:db8:f000:10::1 (delegated to vnet11's VM): the first and a later one.
const FIRST: &str = "020000000001 067a8800008b 86dd 60000000 0018 2c 40 20010db8f00000100000000000000001 \
                     20010db8000900000000000000000001 11 00 0001 0000002a 0035 0035 0020 0000 0000000000000000";
const LATER: &str = "020000000001 067a8800008b 86dd 60000000 0010 2c 40 20010db8f00000100000000000000001 \
                     20010db8000900000000000000000001 11 00 0010 0000002a 0000000000000000";

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|c| c.to_digit(16)).map(|digit| u8::try_from(digit).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A capture with these frames: how many bytes each had, and how many of them were kept.
fn pcap(frames: &[(&[u8], usize)]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let mut file = words(&[0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 65_535, 1]);
    for (bytes, kept) in frames {
        file.extend(words(&[0, 0, u32::try_from(*kept).unwrap(), u32::try_from(bytes.len()).unwrap()]));
        file.extend(&bytes[..*kept]);
    }
    file
}

#[test]
fn each_step_to_the_one_that_decides() {
    let host = Host::new("", STATE);
    assert_eq!(
        host.run(&["explain", "vnet11", "--from-vm", "--hex", RA]),
        done(
            "\
vnet11, VM i-2-55-VM: frames from the VM, judged by the state
ICMPv6 router advertisement fe80::47a:88ff:fe00:8b > ff02::1, 70 bytes
  MAC 06:7a:88:00:00:8b > 33:33:00:00:00:01
  pass  quarantine
  pass  layer 2
  pass  IPv6 header
  pass  extension headers
  pass  upper-layer header
  pass  addresses
  pass  fragments
  drop  ND, MLD, ICMPv6, DHCPv6, link-local
DROP ra_from_vm: Router advertisement from a VM.
  policy: docs/policy.md#from-the-vm
"
        )
    );
    // The neighbour has another MAC.
    let run = host.run(&["explain", "vnet12", "--from-vm", "--hex", RA]);
    assert!(run.out.contains("  pass  quarantine\n  drop  layer 2\nDROP mac_spoofed: "), "{}", run.out);
    // From the listed router it passes; from another one not.
    let from_router =
        RA.replace("047a88fffe00008b", "0000000000000001").replace("06:7a:88:00:00:8b", "02:00:00:00:00:01");
    let run = host.run(&["explain", "vnet11", "--to-vm", "--hex", &from_router]);
    assert!(run.out.contains("PASS router_advertisement: "), "{}", run.out);
    let run =
        host.run(&["explain", "vnet11", "--to-vm", "--hex", &from_router.replace("000000001 ff02", "000000002 ff02")]);
    assert!(run.out.contains("DROP ra_unlisted: "), "{}", run.out);
    assert_eq!(run.code, Some(0));
}

#[test]
fn fragments_are_remembered_within_one_run() {
    let host = Host::new("", STATE);
    let run = host.run(&["explain", "vnet11", "--from-vm", "--hex", FIRST, "--hex", LATER]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let decisions: Vec<_> =
        run.out.lines().filter(|line| ["frame", "PASS", "DROP"].iter().any(|start| line.starts_with(start))).collect();
    assert_eq!(
        decisions,
        [
            "frame 1: UDP 2001:db8:f000:10::1.53 > 2001:db8:9::1.53, first fragment of packet 0000002a, 78 bytes",
            "PASS allowed: The first packet of a flow, or a single message, that a rule allows.",
            "frame 2: UDP 2001:db8:f000:10::1 > 2001:db8:9::1, fragment at 16 of packet 0000002a, 70 bytes",
            "PASS fragment: A later fragment of a packet whose first fragment passed.",
        ]
    );
    assert!(run.out.ends_with("2 frames: 2 passed, 0 dropped\n"), "{}", run.out);
    let run = host.run(&["explain", "vnet11", "--from-vm", "--hex", LATER]);
    assert!(run.out.contains("DROP fragment_unknown: "), "{}", run.out);
}

#[test]
fn standard_input_and_separators() {
    let host = Host::new("", STATE);
    let expected = host.run(&["explain", "vnet11", "--from-vm", "--hex", RA]);
    let lines = octets(RA).iter().map(|octet| format!("{octet:02X}\n")).collect::<String>();
    let run = host.finish(host.command().args(["explain", "vnet11", "--from-vm", "--hex", "-"]).write_stdin(lines));
    assert_eq!(run, expected);
    assert_eq!(
        host.run(&["explain", "vnet11", "--from-vm", "--hex", "33x3"]),
        refused("--hex: no octet at character 3 ('x'); write two digits for each octet, like 33:33:00:00:00:01")
    );
}

#[test]
fn captures() {
    let host = Host::new("", STATE);
    let (ra, first) = (octets(RA), octets(FIRST));
    let long = [octets(&FIRST.replace("0018 2c", "0400 2c")), vec![0; 1000]].concat();
    let path = host.write("a.pcap", pcap(&[(&ra, ra.len()), (&first, first.len()), (&long, 78)]));
    let run = host.run(&["explain", "vnet11", "--from-vm", "--pcap", &path]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert!(run.out.ends_with("3 frames: 2 passed, 1 dropped\n"), "{}", run.out);
    assert_eq!(run.out.matches("the capture holds the first ").count(), 1);
    // Cut or not, the frame is judged by its whole length.
    assert!(
        run.out.contains(
            "packet 0000002a, 1078 bytes\n  the capture holds the first 78 bytes only: what lies beyond was not judged\n"
        ),
        "{}",
        run.out
    );
    let stdin = host.finish(
        host.command()
            .args(["explain", "vnet11", "--from-vm", "--pcap", "-"])
            .write_stdin(std::fs::read(path).unwrap()),
    );
    assert_eq!(stdin, run);

    // A capture that breaks off: what was whole is judged.
    let path = host.write("b.pcap", &pcap(&[(&ra, ra.len()), (&ra, ra.len())])[..190]);
    let run = host.run(&["explain", "vnet11", "--from-vm", "--pcap", &path]);
    assert!(run.out.contains("frame 1: ") && !run.out.contains("frame 2: "), "{}", run.out);
    assert!(run.err.starts_with("error: DIR/b.pcap: the capture is damaged or cut off: "), "{}", run.err);
    assert_eq!((run.code, run.err.lines().count()), (Some(1), 1));
    assert_eq!(
        host.run(&["explain", "vnet11", "--from-vm", "--pcap", "gone.pcap"]).err,
        "error: cannot open gone.pcap: No such file or directory (os error 2)\n"
    );
}

#[test]
fn a_tap_without_state() {
    let quarantined = Host::new("quarantine = [\"vnet*\"]\n", STATE);
    let run = quarantined.run(&["explain", "vnet99", "--from-vm", "--hex", RA]);
    assert!(run.out.starts_with("vnet99, no VM yet: "), "{}", run.out);
    assert!(run.out.contains("  drop  quarantine\nDROP quarantined: "), "{}", run.out);
    assert_eq!(
        Host::new("", STATE).run(&["explain", "vnet99", "--from-vm", "--hex", RA]),
        refused("no port has the interface \"vnet99\"; `ipv6-sg check` lists the ports in DIR/state.d")
    );
}

#[test]
fn json_for_programs() {
    let host = Host::new("", STATE);
    let run = host.run(&["explain", "vnet11", "--from-vm", "--json", "--hex", RA, "--hex", "00"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let value: Value = serde_json::from_str(&run.out).unwrap();
    let steps = [
        "quarantine",
        "layer_2",
        "ipv6_header",
        "extension_headers",
        "upper_header",
        "addresses",
        "fragments",
        "link_rules",
    ];
    let verdict = |step: &str| if step == "link_rules" { "drop" } else { "pass" };
    assert_eq!(
        value,
        json!({
            "interface": "vnet11", "vm": "i-2-55-VM", "judged_by": "state_files",
            "frames": [
                {
                    "frame": 1,
                    "summary": "ICMPv6 router advertisement fe80::47a:88ff:fe00:8b > ff02::1",
                    "destination_mac": "33:33:00:00:00:01", "source_mac": "06:7a:88:00:00:8b",
                    "length": 70, "captured": 70, "direction": "from_vm",
                    "steps": steps.map(|step| json!({ "step": step, "verdict": verdict(step) })),
                    "verdict": "drop", "reason": "ra_from_vm", "text": "Router advertisement from a VM.",
                    "policy_section": "docs/policy.md#from-the-vm",
                    "flow": null, "rule": null, "rule_text": null
                },
                {
                    "frame": 2, "summary": "truncated Ethernet header",
                    "destination_mac": null, "source_mac": null, "length": 1, "captured": 1, "direction": "from_vm",
                    "steps": [{ "step": "quarantine", "verdict": "pass" }, { "step": "layer_2", "verdict": "drop" }],
                    "verdict": "drop", "reason": "frame_truncated", "text": "No whole Ethernet header.",
                    "policy_section": "docs/policy.md#layer-2",
                    "flow": null, "rule": null, "rule_text": null
                }
            ]
        })
    );
}

#[test]
fn colours_only_where_they_are_wanted() {
    let host = Host::new("", STATE);
    let coloured = |variables: &[(&str, &str)]| {
        let mut command = host.command();
        let command = command.envs(variables.iter().copied()).args(["explain", "vnet11", "--from-vm", "--hex", RA]);
        host.finish(command).out.contains('\x1b')
    };
    assert!(!coloured(&[("TERM", "xterm")]), "a pipe is no terminal");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}
