//! What Kea's database last said of the VMs of this host, as it is kept for the next start.

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Reservation, Reserved};
use crate::poll::Answer;
use crate::state::value;

/// A prefix that is reserved for a MAC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The VM's MAC.
    #[serde(serialize_with = "text", deserialize_with = "mac")]
    pub mac: Mac,
    /// The prefix.
    #[serde(serialize_with = "text", deserialize_with = "prefix")]
    pub prefix: Ipv6Net,
    /// The VM's name, where one is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<String>,
}

/// The prefixes that are reserved for MACs, in the order in which they were reserved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegations {
    /// All of them.
    pub delegations: Vec<Delegation>,
    /// What stands there and is no prefix, each as a line.
    pub malformed: Vec<String>,
}

impl Answer for Delegations {
    const WHO: &'static str = "Kea's database";
    const FILE: &'static str = "kea.json";
}

impl From<Reserved> for Delegations {
    fn from(reserved: Reserved) -> Self {
        let Reserved { reservations, mut malformed } = reserved;
        let mut delegations = Vec::with_capacity(reservations.len());
        for Reservation { mac, prefix, vm, .. } in reservations {
            // Nobody can have a longer one, or one that is not for VMs: see `[[port]]` delegated.
            match value::prefix(&prefix.to_string()) {
                Ok(prefix) => delegations.push(Delegation { mac, prefix, vm }),
                Err(problem) => malformed.push(format!("{mac}: {prefix}: {problem}")),
            }
        }
        Self { delegations, malformed }
    }
}

fn text<T: ToString, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

fn mac<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
    let text = String::deserialize(deserializer)?;
    value::mac(&text).map_err(serde::de::Error::custom)
}

fn prefix<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ipv6Net, D::Error> {
    let text = String::deserialize(deserializer)?;
    value::prefix(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read() {
        let reservation = |id, prefix: &str| Reservation {
            id,
            mac: "06:7a:88:00:00:8b".parse().unwrap(),
            subnet_id: 1,
            prefix: prefix.parse().unwrap(),
            vm: Some("i-2-55-VM".to_owned()),
        };
        let reservations = vec![reservation(1, "2001:db8:f000:20::/60"), reservation(2, "fe80::/64")];
        let delegations = Delegations::from(Reserved { reservations, malformed: vec!["x".to_owned()] });
        assert_eq!(delegations.delegations.len(), 1);
        assert!(delegations.malformed[1].starts_with("06:7a:88:00:00:8b: fe80::/64: "), "{:?}", delegations.malformed);
        let text = serde_json::to_string(&delegations).unwrap();
        assert_eq!(serde_json::from_str::<Delegations>(&text).unwrap(), delegations);
        for (from, to) in [("06:7a", "07:7a"), ("f000:20::/60", "f000:2f::/60"), ("malformed", "others")] {
            assert!(serde_json::from_str::<Delegations>(&text.replace(from, to)).is_err(), "{to}");
        }
    }
}
