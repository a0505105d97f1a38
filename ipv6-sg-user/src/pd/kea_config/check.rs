//! What is wrong with a configuration that is there.

use serde::Serialize;
use serde_json::Value;

use super::{Relay, comments};
use crate::kea::{KeaError, Kind, Parts};
use crate::state::Pd;

/// Fewer attempts to reach the database again, and Kea has given up before it is back.
const TRIES: i64 = 1000;

/// Something that loses a VM its prefixes, or gives them to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where.
    pub key: &'static str,
    /// What is wrong, and what to write.
    pub problem: String,
}

/// Looks at a configuration as Kea reads it.
///
/// # Errors
/// It is no JSON, none of the DHCPv6 server's, or the database's URL is none; the text says which.
pub fn check(settings: &Pd, relay: Relay, text: &str) -> Result<Vec<Fault>, String> {
    let config: Value = serde_json::from_str(&comments::without(text)).map_err(|error| {
        let include = if text.contains("<?include") { "; it includes other files: give all of it in one" } else { "" };
        format!("not JSON as Kea reads it: {error}{include}")
    })?;
    let dhcp6 = config.get("Dhcp6").filter(|dhcp6| dhcp6.is_object());
    let dhcp6 = dhcp6.ok_or("no Dhcp6 in it: not the configuration of Kea's DHCPv6 server")?;
    let mut faults = Vec::new();
    let mut fault = |key, problem: String| faults.push(Fault { key, problem });
    let expected = Parts::of(&settings.database).map_err(|error: KeaError| error.to_string())?;
    databases(dhcp6, &expected, &mut fault);
    identification(dhcp6, relay, &mut fault);
    let hold = dhcp6.pointer("/expired-leases-processing/hold-reclaimed-time").and_then(Value::as_i64);
    if hold != Some(0) {
        let problem = "write 0: a lease that is over keeps its prefix from a VM that was rebuilt";
        fault("expired-leases-processing.hold-reclaimed-time", problem.to_owned());
    }
    drop_class(dhcp6, relay, &mut fault);
    subnet(dhcp6, settings, &mut fault);
    Ok(faults)
}

fn databases(dhcp6: &Value, expected: &Parts, fault: &mut impl FnMut(&'static str, String)) {
    let list = dhcp6["hosts-databases"].as_array().map(Vec::as_slice).unwrap_or_default();
    let hosts: Vec<_> = list.iter().chain(dhcp6.get("hosts-database")).collect();
    let kind = if expected.kind == Kind::Postgres { "postgresql" } else { "mysql" };
    let ours = hosts.iter().find(|database| database["type"] == kind && database["name"] == expected.name.as_str());
    if ours.is_none() {
        let problem = format!("write the {kind} database {:?}, which [pd] records prefixes in", expected.name);
        fault("hosts-database", problem);
    }
    let leases = dhcp6.get("lease-database").filter(|leases| leases["type"] != "memfile");
    for (key, database) in
        ours.map(|ours| ("hosts-database", *ours)).into_iter().chain(leases.map(|leases| ("lease-database", leases)))
    {
        if database.get("on-fail").is_some_and(|action| action != "stop-retry-exit") {
            let problem =
                "on-fail: write stop-retry-exit; without its database Kea would take prefixes back from VMs that renew";
            fault(key, problem.to_owned());
        }
        if database["max-reconnect-tries"].as_i64().unwrap_or(0) < TRIES {
            fault(
                key,
                "max-reconnect-tries: write 100000; Kea ends when it has not reached the database again".to_owned(),
            );
        }
    }
}

fn identification(dhcp6: &Value, relay: Relay, fault: &mut impl FnMut(&'static str, String)) {
    let texts =
        |key: &str| -> Vec<_> { dhcp6[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect() };
    let sources = texts("mac-sources");
    if sources.is_empty() || sources.iter().any(|source| !relay.sources().contains(source)) {
        let [source, _] = relay.sources();
        fault("mac-sources", format!("write [{source:?}] and no other: a VM says the others itself"));
    }
    let identifiers = texts("host-reservation-identifiers");
    if identifiers != ["hw-address"] {
        let problem = "write [\"hw-address\"] and no other: a VM chooses its DUID, and so whose reservation it has";
        fault("host-reservation-identifiers", problem.to_owned());
    }
}

fn drop_class(dhcp6: &Value, relay: Relay, fault: &mut impl FnMut(&'static str, String)) {
    let classes = dhcp6["client-classes"].as_array();
    let test =
        classes.into_iter().flatten().find(|class| class["name"] == "DROP").and_then(|class| class["test"].as_str());
    let drops = test
        .is_some_and(|test| test.contains(&format!("option[{}].exists", relay.option())) && test.contains("relay6[1]"));
    if !drops {
        let problem = format!(
            "write a class DROP with the test {:?}: a VM that says it is a relay has another's prefix",
            relay.drop_test()
        );
        fault("client-classes", problem);
    }
}

fn subnet(dhcp6: &Value, settings: &Pd, fault: &mut impl FnMut(&'static str, String)) {
    let networks = dhcp6["shared-networks"].as_array().into_iter().flatten();
    let inside = networks.filter_map(|network| network["subnet6"].as_array()).flatten();
    let subnets: Vec<_> = dhcp6["subnet6"].as_array().into_iter().flatten().chain(inside).collect();
    if subnets.iter().any(|subnet| subnet["pd-pools"].as_array().is_some_and(|pools| !pools.is_empty())) {
        fault("subnet6.pd-pools", "remove them: Kea would give prefixes that are recorded nowhere".to_owned());
    }
    let Some(subnet) = subnets.into_iter().find(|subnet| subnet["id"] == settings.subnet_id) else {
        fault("subnet6", format!("write a subnet with the id {}, which [pd] reserves prefixes in", settings.subnet_id));
        return;
    };
    let set = |key: &str| subnet.get(key).or_else(|| dhcp6.get(key));
    if set("reservations-in-subnet") == Some(&Value::Bool(false)) {
        fault("reservations-in-subnet", "write true: reservations are looked up there".to_owned());
    }
    // Before Kea 2.6 it stood for the keys `reservations-…`.
    if set("reservation-mode").is_some_and(|mode| mode != "all" && mode != "out-of-pool") {
        fault("reservation-mode", "remove it: reservations are looked up in the subnet".to_owned());
    }
}
