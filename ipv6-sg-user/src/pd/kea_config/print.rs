//! A configuration to begin with.

use ipnet::Ipv6Net;
use serde_json::{Map, Value, json};

use super::{Relay, Release};
use crate::kea::{KeaError, Kind, Parts};
use crate::state::Pd;

/// What the settings do not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The release of Kea.
    pub release: Release,
    /// How the relay says which MAC asks.
    pub relay: Relay,
    /// What the relays' own addresses are from.
    pub subnet: Ipv6Net,
    /// Where Kea hears relays: `INTERFACE/ADDRESS`.
    pub listen: String,
}

/// Prints it, as Kea reads it. A password is not in it.
///
/// # Errors
/// The database's URL is none.
pub fn print(settings: &Pd, place: &Place) -> Result<String, KeaError> {
    let parts = Parts::of(&settings.database)?;
    let kind = parts.kind;
    let mut database = Map::new();
    let backend = if kind == Kind::Postgres { "postgresql" } else { "mysql" };
    for (key, value) in [
        ("type", Some(json!(backend))),
        ("name", Some(json!(parts.name))),
        ("user", Some(json!(parts.user))),
        ("host", parts.host.map(Value::from)),
        ("port", parts.port.map(Value::from)),
        ("password", settings.database.password_file.as_ref().map(|_| json!("PASSWORD"))),
        ("max-reconnect-tries", Some(json!(100_000))),
        ("reconnect-wait-time", Some(json!(500))),
        ("on-fail", Some(json!("stop-retry-exit"))),
    ] {
        database.extend(value.map(|value| (key.to_owned(), value)));
    }
    let [source, _] = place.relay.sources();
    let mut dhcp6 = json!({
        "interfaces-config": { "interfaces": [place.listen] },
        "lease-database": database,
        "hosts-database": database,
        "mac-sources": [source],
        "host-reservation-identifiers": ["hw-address"],
        "reservations-global": false,
        "reservations-in-subnet": true,
        "reservations-out-of-pool": true,
        "expired-leases-processing": {
            "reclaim-timer-wait-time": 5, "hold-reclaimed-time": 0, "flush-reclaimed-timer-wait-time": 5,
        },
        "preferred-lifetime": 1800, "valid-lifetime": 3600, "renew-timer": 900, "rebind-timer": 1440,
        "client-classes": [{ "name": "DROP", "test": place.relay.drop_test() }],
        "subnet6": [{ "id": settings.subnet_id, "subnet": place.subnet.to_string() }],
    });
    if let (Value::Object(dhcp6), Release::Kea3) = (&mut dhcp6, place.release) {
        // From 2.7.4 on, each kind of database is a hook.
        let library = if kind == Kind::Postgres { "libdhcp_pgsql.so" } else { "libdhcp_mysql.so" };
        dhcp6.insert("hooks-libraries".to_owned(), json!([{ "library": library }]));
    }
    let mut text = format!(
        "// Kea's DHCPv6 server ({}) for the prefixes of {}, which `ipv6-sg pd` records.\n",
        place.release.name(),
        settings.pool
    );
    if let Some(file) = &settings.database.password_file {
        text +=
            &format!("// In place of PASSWORD, twice, write what {} has; then chmod 640 this file.\n", file.display());
    }
    let json = serde_json::to_string_pretty(&json!({ "Dhcp6": dhcp6 }));
    Ok(text + &json.map_err(|error| KeaError::Answer(error.to_string()))? + "\n")
}

impl Release {
    const fn name(self) -> &'static str {
        match self {
            Self::Kea2_2 => "2.2, 2.4",
            Self::Kea2_6 => "2.6",
            Self::Kea3 => "3.0 and later",
        }
    }
}
