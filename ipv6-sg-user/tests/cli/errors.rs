use std::fs::{File, OpenOptions};
use std::process::{Command, Stdio};

use crate::host::{Host, STATE, refused};

#[test]
fn bad_input_is_one_line_and_exit_1() {
    let host = Host::new("", STATE);
    let state = |text: &str| {
        host.write("state.d/10.toml", text);
        host.run(&["check"])
    };
    assert_eq!(
        state(&STATE.replace("/64\"]\nrouters", "/63\"]\nrouters")),
        refused(
            "DIR/state.d/10.toml:3: network \"pod1\" prefixes[0] = \"2001:db8:1::/63\": a /63, and VMs form addresses from a /64 only; write the announced /64"
        )
    );
    assert_eq!(
        state(&STATE.replace("06:7a:88:00:00:8c", "06:7a:88:00:00:8b")),
        refused(
            "DIR/state.d/10.toml:17: port \"i-2-56-VM\" mac = \"06:7a:88:00:00:8b\": already the MAC of VM \"i-2-55-VM\" in network \"pod1\" at DIR/state.d/10.toml:7; give each port of a network its own"
        )
    );
    assert_eq!(
        state(&STATE.replace("echo = \"rules\"", "ecco = \"rules\"")),
        refused(
            "DIR/state.d/10.toml:14:1: unknown field `ecco`, expected one of `vm`, `interface`, `mac`, `network`, `addresses`, `delegated`, `security_groups`, `echo` in `ecco = \"rules\"`"
        )
    );
}

#[test]
fn where_the_settings_are_looked_for() {
    let host = Host::new("", STATE);
    let other = host.write("other.toml", "echo = \"rules\"\n");
    // The option is heard before the variable, before or after the verb.
    for arguments in [["--config", &other, "config"], ["config", "--config", &other]] {
        let run = host.run(&arguments);
        assert!(run.out.contains("echo = \"rules\"") && run.code == Some(0), "{run:?}");
    }
    assert!(host.run(&["config"]).out.contains("DIR/state.d"));
    // A file that is named must be there; an empty variable names none.
    let missing = refused("cannot read gone.toml: No such file or directory (os error 2)");
    assert_eq!(host.run(&["--config", "gone.toml", "config"]), missing);
    assert_eq!(host.finish(host.command().env("IPV6_SG_CONFIG", "gone.toml").arg("config")), missing);
    let run =
        host.finish(host.command().env("IPV6_SG_CONFIG", "").arg("eui64").args(["fe80::/64", "fe:54:00:00:3e:05"]));
    assert_eq!(run.code, Some(0));
    assert_eq!(
        Host::new("xdp = true\n", "").run(&["check"]),
        refused("DIR/config.toml:2:7: wanted string or table in `xdp = true`")
    );
}

#[test]
fn usage_is_exit_2_and_help_is_0() {
    let host = Host::new("", STATE);
    for arguments in [
        &["no-such-verb"][..],
        &[],
        &["explain", "vnet11", "--hex", "00"],
        &["explain", "vnet11", "--from-vm"],
        &["explain", "vnet11", "--from-vm", "--to-vm", "--hex", "00"],
        &["explain", "vnet11", "--from-vm", "--pcap", "a", "--hex", "00"],
        &["eui64", "fe80::/64"],
        &["check", "--jsn"],
        &["flows", "vnet11", "flush"],
        &["flows", "flush", "vnet11", "vnet12"],
        &["rules", "vnet11", "vnet12"],
    ] {
        let run = host.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(run.err.contains("Usage:"), "{arguments:?}: {}", run.err);
    }
    for (arguments, message) in [
        (["flows", "--peer", "2001:db8::1/64"], "'--peer <PREFIX>': has host bits; write 2001:db8::/64"),
        (["flows", "--state", "open"], "not a state; write one of opening, established, closing"),
    ] {
        let run = host.run(&arguments);
        assert!(run.code == Some(2) && run.err.contains(message), "{arguments:?}: {run:?}");
    }
    for arguments in [&["--help"][..], &["help"], &["-V"], &["check", "-h"]] {
        let run = host.run(arguments);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    let host = Host::new("", STATE);
    for verb in [&["check"][..], &["check", "--json"], &["man"], &["completions", "bash"], &["config"], &["--help"]] {
        let command = || {
            let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ipv6-sg"));
            command.args(verb).env("IPV6_SG_CONFIG", host.path("config.toml"));
            command
        };
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command().stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{verb:?}");

        if verb == ["--help"] {
            continue;
        }
        let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command().stdout(full).stderr(Stdio::piped()).output().unwrap();
        let line = "error: cannot write to standard output: No space left on device (os error 28)\n";
        assert_eq!(
            (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
            (Some(1), line),
            "{verb:?}"
        );
    }
}
