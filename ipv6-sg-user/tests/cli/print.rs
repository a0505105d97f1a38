use crate::host::{Host, done, refused};

#[test]
fn eui64() {
    let host = Host::new("", "");
    for (prefix, mac, address) in [
        ("2001:db8:100::/64", "06:7a:88:00:00:8b", "2001:db8:100:0:47a:88ff:fe00:8b"),
        ("2a00:f10:121:b00::/64", "06:34:a0:00:1b:c7", "2a00:f10:121:b00:434:a0ff:fe00:1bc7"),
        ("fe80::/64", "fe:54:00:00:3e:05", "fe80::fc54:ff:fe00:3e05"),
    ] {
        assert_eq!(host.run(&["eui64", prefix, mac]), done(&format!("{address}\n")));
        let json: serde_json::Value = serde_json::from_str(&host.run(&["eui64", prefix, mac, "--json"]).out).unwrap();
        assert_eq!(json, serde_json::json!({ "address": address }));
    }
    for (prefix, mac, line) in [
        (
            "2001:db8::/63",
            "06:7a:88:00:00:8b",
            "prefix \"2001:db8::/63\": a /63, and VMs form addresses from a /64 only; write the announced /64",
        ),
        ("2001:db8::1/64", "06:7a:88:00:00:8b", "prefix \"2001:db8::1/64\": has host bits; write 2001:db8::/64"),
        (
            "2001:db8::/64",
            "067a8800008b",
            "MAC \"067a8800008b\": not a MAC address; write six hexadecimal octets joined by colons, like 06:7a:88:00:00:8b",
        ),
    ] {
        assert_eq!(host.run(&["eui64", prefix, mac]), refused(line));
    }
}

#[test]
fn the_printed_settings_are_settings() {
    let host = Host::new("metrics = \"127.0.0.1:9477\"\nquarantine = [\"vnet*\"]\n", "");
    let printed = host.run(&["config"]);
    assert_eq!(
        printed,
        done(
            "state_dir = \"DIR/state.d\"\nrun_dir = \"/run/ipv6-sg\"\ndata_dir = \"/var/lib/ipv6-sg\"\n\
             pin_dir = \"/sys/fs/bpf/ipv6-sg\"\nxdp = \"off\"\nipv4 = \"pass\"\necho = \"always\"\n\
             quarantine = [\"vnet*\"]\nmetrics = \"127.0.0.1:9477\"\n\n[conntrack]\nentries_per_port = 16384\n\n\
             [cloudstack]\nlibvirt_dir = \"/run/libvirt/qemu\"\n"
        )
    );
    let again = host.write("again.toml", printed.out.replace("DIR", "/d"));
    assert_eq!(host.run(&["--config", &again, "config"]).out, printed.out.replace("DIR", "/d"));
    let json: serde_json::Value = serde_json::from_str(&host.run(&["config", "--json"]).out).unwrap();
    assert_eq!(json["conntrack"]["entries_per_port"], 16384);
    assert_eq!(json["metrics"], "127.0.0.1:9477");
}

#[test]
fn the_manual_has_every_verb_once() {
    let run = Host::new("", "").run(&["man"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert!(run.out.contains(".TH ipv6-sg 8"), "{}", run.out);
    let help = Host::new("", "").run(&["--help"]).out;
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<_> =
        verbs.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.len() > 5, "{verbs:?}");
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        assert_eq!(run.out.matches(&format!(".SS {verb}\n")).count(), 1, "{verb}");
    }
    assert_eq!(run.out.matches(".SS flows flush\n").count(), 1);
    for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "VERBS", "FILES", "ENVIRONMENT", "EXIT STATUS"] {
        assert_eq!(
            run.out
                .lines()
                .filter(|line| *line == format!(".SH {heading}") || *line == format!(".SH \"{heading}\""))
                .count(),
            1,
            "{heading}"
        );
    }
}

#[test]
fn completions_for_every_shell() {
    let host = Host::new("", "");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = host.run(&["completions", shell]);
        assert!(run.code == Some(0) && run.err.is_empty() && run.out.contains("eui64"), "{shell}: {run:?}");
        assert!(run.out.contains("flush"), "{shell}: nothing below a verb");
    }
    assert_eq!(host.run(&["completions", "tcsh"]).code, Some(2));
}
