//! A host in a temporary directory: settings, state files, and the binary run on them.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use tempfile::TempDir;

/// Two ports on a network with a listed router, one of them in a group.
pub const STATE: &str = r#"
[network.pod1]
prefixes = ["2001:db8:1::/64"]
routers = ["fe80::1"]

[[port]]
vm = "i-2-55-VM"
interface = "vnet11"
mac = "06:7a:88:00:00:8b"
network = "pod1"
addresses = ["2001:db8:1::100"]
delegated = ["2001:db8:f000:10::/60"]
security_groups = ["web"]
echo = "rules"

[[port]]
vm = "i-2-56-VM"
interface = "vnet12"
mac = "06:7a:88:00:00:8c"
network = "pod1"

[security_group.web]
ingress = [
  { protocol = "tcp", ports = "22", peers = ["::/0"] },
  { protocol = "icmpv6", type = 128, code = 0, peers = ["2001:db8:99::/64", "group:web"] },
]
egress = [{ protocol = "all", peers = ["::/0"] }]
members = ["2001:db8:5::/64"]
"#;

pub struct Host {
    directory: TempDir,
}

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Host {
    /// With these further settings and this one state file.
    pub fn new(settings: &str, state: &str) -> Self {
        let host = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(host.path("state.d")).unwrap();
        let state_dir = host.path("state.d").display().to_string();
        host.write("config.toml", format!("state_dir = {state_dir:?}\n{settings}"));
        host.write("state.d/10.toml", state);
        host
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), contents).unwrap();
        self.path(name).display().to_string()
    }

    /// The binary in surroundings of its own: settings named by the variable, no colours inherited.
    pub fn command(&self) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("ipv6-sg"));
        command.env_clear().env("IPV6_SG_CONFIG", self.path("config.toml")).current_dir(self.directory.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.finish(self.command().args(arguments))
    }

    /// Runs a command; the temporary directory is `DIR` in what it says.
    pub fn finish(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap();
        let text =
            |bytes| String::from_utf8(bytes).unwrap().replace(&self.directory.path().display().to_string(), "DIR");
        Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A run that did what it should and said nothing else.
pub fn done(out: &str) -> Run {
    Run { code: Some(0), out: out.to_owned(), err: String::new() }
}

/// A run that was refused with this one line.
pub fn refused(line: &str) -> Run {
    Run { code: Some(1), out: String::new(), err: format!("error: {line}\n") }
}
