//! ISC Kea's DHCPv6 server.

use std::fs;
use std::net::Ipv6Addr;

use serde_json::{Value, json};

use super::Pool;
use crate::lab::Process;
use crate::lab::kea::KEA;

/// Where the server is, and its router.
pub const SERVER: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x547, 0, 0, 0, 0, 0, 2);
pub(super) const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x547, 0, 0, 0, 0, 0, 1);

/// How the relay tells whose MAC a message is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// As the Remote-ID, option 37.
    RemoteId,
    /// As the Client Link-Layer Address, option 79.
    LinkLayer,
}

impl Identity {
    /// What `ipv6-sg pd init` calls it.
    const fn relay(self) -> &'static str {
        match self {
            Self::RemoteId => "remote-id",
            Self::LinkLayer => "client-link-addr",
        }
    }
}

/// What Kea refuses by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// What has no MAC from the relay, and what two relays have had: as operators should set it.
    Relays,
    /// Nothing: all that stands before it is the guard.
    Nobody,
}

/// Starts it on the `eth0` of the pool's machine, where it has the address [`SERVER`], with the configuration that is printed
/// for it.
#[track_caller]
pub(super) fn kea(pool: &Pool<'_>, identity: Identity, distrust: Distrust) -> Process {
    let relay = identity.relay();
    let (subnet, listen) = ("2001:db8::/32", format!("eth0/{SERVER}"));
    let release = pool.of_kea().number();
    let words = ["init", "--kea-config", "--kea", release, "--relay", relay, "--subnet", subnet, "--listen", &listen];
    let printed = pool.desk.lines(&words);
    let json: String = printed.into_iter().filter(|line| !line.starts_with("//")).collect();
    let json = json.replace("PASSWORD", KEA);
    let mut config: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let dhcp6 = &mut config["Dhcp6"];
    dhcp6["server-id"] =
        json!({ "type": "LLT", "htype": 1, "time": 1, "identifier": "0200000000FF", "persist": false });
    dhcp6["loggers"] = json!([{ "name": "kea-dhcp6", "severity": "INFO", "output_options": [{ "output": "stdout" }] }]);
    // A test waits for no longer than that for what clients do again and again, and nothing ends meanwhile.
    dhcp6["renew-timer"] = 2.into();
    dhcp6["rebind-timer"] = 300.into();
    if distrust == Distrust::Nobody {
        dhcp6.as_object_mut().expect("an object").remove("client-classes");
    }
    let (path, run_dir) = (pool.path("kea-dhcp6.conf"), pool.path("kea"));
    fs::write(&path, config.to_string()).expect("our own directory");
    if distrust == Distrust::Relays {
        let file = path.to_str().expect("text");
        assert_eq!(pool.desk.done(&["init", "--check-kea", file, "--relay", relay]), "sound\n");
    }
    fs::create_dir(&run_dir).expect("our own directory");
    let mut command = pool.of_kea().server(&run_dir, |program| pool.machine.command(program));
    // Kea has no key for MariaDB's socket.
    command.arg("-c").arg(path).env("MYSQL_UNIX_PORT", pool.path("socket"));
    let mut server = Process::start(command);
    server.wait_for("DHCP6_STARTED");
    server
}
