//! ISC Kea's DHCPv6 server.

use std::fs;
use std::net::Ipv6Addr;

use serde_json::json;

use super::Database;
use super::message::code;
use crate::lab::{Netns, Process};

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
    /// Kea's name for it.
    const fn mac_source(self) -> &'static str {
        match self {
            Self::RemoteId => "remote-id",
            Self::LinkLayer => "client-link-addr-option",
        }
    }

    const fn option(self) -> u16 {
        match self {
            Self::RemoteId => code::REMOTE_ID,
            Self::LinkLayer => code::CLIENT_LINK_LAYER,
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

/// Starts it on a namespace's `eth0`, where it has the address [`SERVER`].
#[track_caller]
pub(super) fn kea(netns: &Netns, database: &Database, identity: Identity, distrust: Distrust) -> Process {
    let in_the_database = json!({
        "type": "postgresql", "host": database.host(), "name": "kea", "user": "kea", "password": "kea",
        "max-reconnect-tries": 100_000, "reconnect-wait-time": 500, "on-fail": "stop-retry-exit",
    });
    let mut config = json!({ "Dhcp6": {
        "server-id": { "type": "LLT", "htype": 1, "time": 1, "identifier": "0200000000FF", "persist": false },
        "interfaces-config": { "interfaces": [format!("eth0/{SERVER}")] },
        "lease-database": in_the_database,
        "hosts-database": in_the_database,
        "mac-sources": [identity.mac_source()],
        "host-reservation-identifiers": ["hw-address"],
        "reservations-global": false, "reservations-in-subnet": true, "reservations-out-of-pool": true,
        "expired-leases-processing":
            { "reclaim-timer-wait-time": 1, "hold-reclaimed-time": 0, "flush-reclaimed-timer-wait-time": 1 },
        // A test waits for no longer than that for what clients do again and again, and nothing ends meanwhile.
        "renew-timer": 2, "rebind-timer": 300, "preferred-lifetime": 400, "valid-lifetime": 600,
        "subnet6": [{ "id": 1, "subnet": "2001:db8::/32" }],
        "loggers": [{ "name": "kea-dhcp6", "severity": "INFO", "output_options": [{ "output": "stdout" }] }],
    }});
    if distrust == Distrust::Relays {
        let test = format!("not relay6[0].option[{}].exists or not (relay6[1].peeraddr == '')", identity.option());
        config["Dhcp6"]["client-classes"] = json!([{ "name": "DROP", "test": test }]);
    }
    let (path, run_dir) = (database.site.path("kea-dhcp6.conf"), database.site.path("kea"));
    fs::write(&path, config.to_string()).expect("our own directory");
    fs::create_dir(&run_dir).expect("our own directory");
    let mut command = netns.command("kea-dhcp6");
    command.arg("-c").arg(path).env("KEA_PIDFILE_DIR", &run_dir).env("KEA_LOCKFILE_DIR", &run_dir);
    let mut server = Process::start(command);
    server.wait_for("DHCP6_STARTED");
    server
}
