use serde_json::{Value, json};

use super::*;
use crate::state::{Database, Pd};

fn settings(url: &str) -> Pd {
    Pd {
        pool: "2001:db8:f000::/40".parse().unwrap(),
        length: 60,
        reserved: Vec::new(),
        rest: std::time::Duration::ZERO,
        subnet_id: 7,
        database: Database { url: url.to_owned(), password_file: Some("/etc/ipv6-sg/kea.password".into()) },
    }
}

const URLS: [&str; 3] = [
    "postgresql://kea@/hosts?host=/run/postgresql",
    "mysql://kea@db.example:3307/hosts",
    "mysql://kea@/hosts?socket=/run/s",
];

fn printed(url: &str, release: Release, relay: Relay) -> String {
    let place =
        Place { release, relay, subnet: "2001:db8::/32".parse().unwrap(), listen: "eth0/2001:db8::547".to_owned() };
    print(&settings(url), &place).unwrap()
}

#[test]
fn what_is_printed_is_sound() {
    for url in URLS {
        for release in [Release::Kea2_2, Release::Kea2_6, Release::Kea3] {
            for relay in [Relay::RemoteId, Relay::ClientLinkAddr] {
                let text = printed(url, release, relay);
                assert_eq!(check(&settings(url), relay, &text), Ok(vec![]), "{text}");
                assert_eq!(text.contains("libdhcp_"), release == Release::Kea3);
                assert!(!text.contains("socket") && text.contains("\"PASSWORD\""), "{text}");
            }
        }
    }
    let text = printed(URLS[1], Release::Kea2_6, Relay::ClientLinkAddr);
    for part in ["\"host\": \"db.example\"", "\"port\": 3307", "option[79].exists", "client-link-addr-option"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(printed(URLS[0], Release::Kea2_2, Relay::RemoteId).contains("\"host\": \"/run/postgresql\""));
}

/// The faults of a sound configuration after a change.
fn faults_of(change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let text = printed(URLS[0], Release::Kea2_6, Relay::RemoteId);
    let mut config: Value = serde_json::from_str(&comments::without(&text)).unwrap();
    change(&mut config["Dhcp6"]);
    let faults = check(&settings(URLS[0]), Relay::RemoteId, &config.to_string()).unwrap();
    faults.into_iter().map(|fault| fault.key).collect()
}

#[test]
fn each_thing_that_loses_prefixes_is_named() {
    let changes: [(&str, &[&str], Value); 18] = [
        ("mac-sources", &["mac-sources"], json!(["any"])),
        ("mac-sources", &["mac-sources"], json!(["remote-id", "duid"])),
        ("mac-sources", &["mac-sources"], Value::Null),
        ("host-reservation-identifiers", &["host-reservation-identifiers"], json!(["duid", "hw-address"])),
        ("host-reservation-identifiers", &["host-reservation-identifiers"], Value::Null),
        ("expired-leases-processing.hold-reclaimed-time", &["expired-leases-processing"], json!({})),
        ("client-classes", &["client-classes"], json!([])),
        ("client-classes", &["client-classes"], json!([{ "name": "DROP", "test": "not relay6[0].option[37].exists" }])),
        ("hosts-database", &["hosts-database", "name"], json!("other")),
        ("hosts-database", &["hosts-database", "type"], json!("mysql")),
        ("hosts-database", &["hosts-database", "on-fail"], json!("serve-retry-continue")),
        ("lease-database", &["lease-database", "max-reconnect-tries"], json!(3)),
        ("subnet6", &["subnet6"], json!([{ "id": 1, "subnet": "2001:db8::/32" }])),
        ("subnet6.pd-pools", &["subnet6"], json!([{ "id": 7, "pd-pools": [{ "prefix": "2001:db8:f000::" }] }])),
        // Another subnet's, too.
        (
            "subnet6.pd-pools",
            &["subnet6"],
            json!([{ "id": 7 }, { "id": 8, "pd-pools": [{ "prefix": "2001:db8:f000::" }] }]),
        ),
        ("reservations-in-subnet", &["reservations-in-subnet"], json!(false)),
        ("reservation-mode", &["reservation-mode"], json!("disabled")),
        ("hosts-database", &["hosts-database"], Value::Null),
    ];
    for (fault, keys, value) in changes {
        let shown = value.to_string();
        let faults = faults_of(|config| *keys.iter().fold(config, |at, key| &mut at[*key]) = value);
        assert_eq!(faults, [fault], "{keys:?} = {shown}");
    }
    // Another relay's option is not the one that is sent.
    let text = printed(URLS[0], Release::Kea2_6, Relay::RemoteId);
    let faults = check(&settings(URLS[0]), Relay::ClientLinkAddr, &text).unwrap();
    assert_eq!(faults.into_iter().map(|fault| fault.key).collect::<Vec<_>>(), ["mac-sources", "client-classes"]);
}

#[test]
fn other_ways_to_write_it() {
    assert_eq!(faults_of(|config| config["mac-sources"] = json!(["rfc4649"])), [""; 0]);
    assert_eq!(faults_of(|config| config["lease-database"] = json!({ "type": "memfile" })), [""; 0]);
    let several = |config: &mut Value| {
        config["hosts-databases"] = json!([config["hosts-database"]]);
        config.as_object_mut().unwrap().remove("hosts-database");
    };
    assert_eq!(faults_of(several), [""; 0]);
    let shared = |config: &mut Value| {
        config["shared-networks"] = json!([{ "name": "pod", "subnet6": config["subnet6"] }]);
        config["subnet6"] = json!([]);
    };
    assert_eq!(faults_of(shared), [""; 0]);
}

#[test]
fn what_is_no_configuration() {
    let check = |text: &str| check(&settings(URLS[0]), Relay::RemoteId, text).unwrap_err();
    assert_eq!(check("{\"Dhcp4\": {}}"), "no Dhcp6 in it: not the configuration of Kea's DHCPv6 server");
    assert!(check("{").starts_with("not JSON as Kea reads it: "));
    let include = check("{ \"Dhcp6\": <?include \"/etc/kea/part\"?> }");
    assert!(include.ends_with("it includes other files: give all of it in one"), "{include}");
    for text in ["", "[]", "{\"Dhcp6\": []}", "{\"Dhcp6\": 1}"] {
        check(text);
    }
}
