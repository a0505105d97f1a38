//! What is known of a VM, and how it is written down: JSON, one VM a file, read by this program alone.
//!
//! Whatever was written is checked again when it is read, as the agent's words were.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use ipv6_sg_common::mac::Mac;
use serde::{Deserialize, Serialize};

use super::command::Secondary;
use super::rules::{Rules, RulesError};
use crate::state::{Problem, value};

/// A VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vm {
    /// Its name.
    pub name: String,
    /// The management server's number.
    pub id: String,
    /// It filters for itself, and has no NICs here.
    pub system: bool,
    /// Its NICs, by MAC.
    pub nics: BTreeMap<Mac, KnownNic>,
}

/// A NIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNic {
    /// The VM's MAC.
    pub mac: Mac,
    /// Its tap, as the agent said; empty before it has, and since it said that this one is another VM's.
    pub interface: String,
    /// Its IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// What else it may use.
    pub secondary: BTreeSet<Secondary>,
    /// Its rules, of those that were said of itself; `None` before the first were.
    pub version: Option<Version>,
    /// It was taken leave of, and is guarded until its tap is gone.
    pub leaving: bool,
    /// What was said of it cannot be, so that it has nothing but its MAC.
    pub refused: bool,
}

/// Rules, of all that were said the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// What the management server tells them by.
    pub signature: String,
    /// It grows with each version.
    pub sequence: i64,
    /// When they were said.
    pub at: SystemTime,
    /// The rules.
    pub rules: Rules,
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It is not in its form.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// A value.
    #[error("{key} {value:?}: {problem}")]
    Value {
        /// Where.
        key: &'static str,
        /// What was written.
        value: String,
        /// What is wrong.
        problem: Box<Problem>,
    },
    /// The rules.
    #[error("{0}")]
    Rules(#[from] RulesError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VmRecord {
    name: String,
    id: String,
    system: bool,
    nics: Vec<NicRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NicRecord {
    mac: String,
    interface: String,
    ipv4: Option<Ipv4Addr>,
    ipv6: Option<Ipv6Addr>,
    secondary: BTreeSet<Secondary>,
    version: Option<VersionRecord>,
    leaving: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionRecord {
    signature: String,
    sequence: i64,
    /// Seconds since 1970.
    at: u64,
    /// As the agent writes them, IPv6 alone.
    rules: String,
}

impl Vm {
    /// Without NICs.
    pub(super) fn new(name: &str, id: &str) -> Self {
        Self { name: name.to_owned(), id: id.to_owned(), system: false, nics: BTreeMap::new() }
    }

    /// The rules of a NIC: its own, or where none were said of it what is the newest of the VM's. Security groups are the VM's,
    /// and the management server names one of its NICs for all.
    pub fn version_of<'a>(&'a self, nic: &'a KnownNic) -> Option<&'a Version> {
        let stays = self.nics.values().filter(|other| nic.leaving || !other.leaving);
        let newest = || stays.filter_map(|other| other.version.as_ref()).max_by_key(|version| version.sequence);
        nic.version.as_ref().or_else(newest)
    }

    /// As it is written down.
    ///
    /// # Errors
    /// JSON has no words for it.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        let version = |version: &Version| VersionRecord {
            signature: version.signature.clone(),
            sequence: version.sequence,
            at: version.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
            rules: version.rules.to_string(),
        };
        let nic = |nic: &KnownNic| NicRecord {
            mac: nic.mac.to_string(),
            interface: nic.interface.clone(),
            ipv4: nic.ipv4,
            ipv6: nic.ipv6,
            secondary: nic.secondary.clone(),
            version: nic.version.as_ref().map(version),
            leaving: nic.leaving,
            refused: nic.refused,
        };
        let nics = self.nics.values().map(nic).collect();
        let (name, id) = (self.name.clone(), self.id.clone());
        serde_json::to_vec_pretty(&VmRecord { name, id, system: self.system, nics })
    }

    /// As it was written down.
    ///
    /// # Errors
    /// Somebody else wrote it, or the writing was cut short.
    pub fn read(text: &[u8]) -> Result<Self, RecordError> {
        let record: VmRecord = serde_json::from_slice(text)?;
        let nics = record.nics.into_iter().map(|nic| nic.read().map(|nic| (nic.mac, nic)));
        let name = checked("name", &record.name, value::name)?;
        Ok(Self { name, id: record.id, system: record.system, nics: nics.collect::<Result<_, _>>()? })
    }
}

impl NicRecord {
    fn read(self) -> Result<KnownNic, RecordError> {
        for secondary in &self.secondary {
            match secondary {
                Secondary::Address(address) => drop(checked("secondary", &address.to_string(), value::address)?),
                Secondary::Delegated(prefix) => drop(checked("secondary", &prefix.to_string(), value::prefix)?),
            }
        }
        if let Some(address) = self.ipv6 {
            checked("ipv6", &address.to_string(), value::address)?;
        }
        let version = |record: VersionRecord| {
            Ok::<_, RecordError>(Version {
                signature: record.signature,
                sequence: record.sequence,
                at: SystemTime::UNIX_EPOCH
                    .checked_add(Duration::from_secs(record.at))
                    .unwrap_or(SystemTime::UNIX_EPOCH),
                rules: Rules::parse(&record.rules)?,
            })
        };
        Ok(KnownNic {
            mac: checked("mac", &self.mac, value::mac)?,
            interface: match self.interface.as_str() {
                "" => String::new(),
                named => checked("interface", named, value::interface)?,
            },
            ipv4: self.ipv4,
            ipv6: self.ipv6,
            secondary: self.secondary,
            version: self.version.map(version).transpose()?,
            leaving: self.leaving,
            refused: self.refused,
        })
    }
}

impl KnownNic {
    pub(super) const fn new(mac: Mac) -> Self {
        Self {
            mac,
            interface: String::new(),
            ipv4: None,
            ipv6: None,
            secondary: BTreeSet::new(),
            version: None,
            leaving: false,
            refused: false,
        }
    }
}

fn checked<T>(key: &'static str, text: &str, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Result<T, RecordError> {
    parse(text).map_err(|problem| RecordError::Value { key, value: text.to_owned(), problem: Box::new(problem) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm() -> Vm {
        let mut vm = Vm::new("i-2-5-VM", "5");
        let mac: Mac = "06:7a:88:00:00:8b".parse().unwrap();
        let nic = KnownNic {
            interface: "vnet1".to_owned(),
            ipv4: Some(Ipv4Addr::new(10, 1, 1, 5)),
            ipv6: Some("2001:db8:1::1".parse().unwrap()),
            secondary: [
                Secondary::Address("2001:db8:1::100".parse().unwrap()),
                Secondary::Delegated("2001:db8:f000:10::/60".parse().unwrap()),
            ]
            .into(),
            version: Some(Version {
                signature: "4a5c".to_owned(),
                sequence: 7,
                at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
                rules: Rules::parse("I:tcp;22;22;::/0,NEXT;E:all;0;0;2001:db8::/32,NEXT;").unwrap(),
            }),
            ..KnownNic::new(mac)
        };
        let second = KnownNic {
            interface: "vnet2".to_owned(),
            leaving: true,
            refused: true,
            ..KnownNic::new("06:7a:88:00:00:8c".parse().unwrap())
        };
        vm.nics.extend([nic, second].map(|nic| (nic.mac, nic)));
        vm
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Vm::read(&vm().write().unwrap()).unwrap(), vm());
    }

    /// Cut anywhere, it is refused.
    #[test]
    fn half_a_record_is_none() {
        let text = vm().write().unwrap();
        for length in 0..text.len() {
            assert!(Vm::read(&text[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_refused() {
        let text = String::from_utf8(vm().write().unwrap()).unwrap();
        for (from, to, message) in [
            ("06:7a:88:00:00:8b", "07:7a:88:00:00:8b", "mac \"07:7a:88:00:00:8b\""),
            ("vnet1", "vnet/1", "interface \"vnet/1\""),
            ("2001:db8:1::1\"", "fe80::1\"", "ipv6 \"fe80::1\""),
            ("2001:db8:f000:10::/60", "2001:db8:f000:1f::/60", "secondary"),
            ("NEXT;E:all", "NEXT;X:all", "--rules, rule 2"),
            ("\"leaving\"", "\"left\"", "unknown field `left`"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Vm::read(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
