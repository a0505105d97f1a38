//! The flags of a call, and what their values mean.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipv6_sg_common::address::Address;
use ipv6_sg_common::mac::Mac;

use super::command::{Nic, Secondary, UsageError};
use crate::state::{Problem, value};

/// The flags of a call, by name; those without a value have an empty one.
pub(super) struct Flags {
    command: String,
    values: BTreeMap<String, String>,
}

impl Flags {
    /// Those of a subcommand: `--name value` and `--name=value`, and a value may begin with one dash. A flag that is given twice
    /// has the later value.
    pub(super) fn new(command: &str, arguments: &[String]) -> Self {
        let mut values = BTreeMap::new();
        let mut arguments = arguments.iter().peekable();
        while let Some(argument) = arguments.next() {
            // Words that belong to no flag are some unknown flag's.
            let Some(flag) = argument.strip_prefix("--") else { continue };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => (flag, arguments.next_if(|next| !next.starts_with("--")).cloned().unwrap_or_default()),
            };
            values.insert(name.to_owned(), value);
        }
        Self { command: command.to_owned(), values }
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.values.contains_key(flag)
    }

    /// What was said with this flag; nothing is as good as no flag.
    pub(super) fn text(&self, flag: &str) -> Option<&str> {
        self.values.get(flag).map(|value| value.trim()).filter(|value| !value.is_empty() && *value != "null")
    }

    fn needed(&self, flag: &'static str) -> Result<&str, UsageError> {
        self.text(flag).ok_or_else(|| self.missing(flag))
    }

    fn missing(&self, flag: &'static str) -> UsageError {
        UsageError::Missing { command: self.command.clone(), flag }
    }

    /// What goes back to the management server in a list, and so holds none of its marks.
    pub(super) fn word(&self, flag: &'static str) -> Result<Option<&str>, UsageError> {
        match self.text(flag) {
            Some(text) if text.contains([',', ';']) || text.chars().any(char::is_control) => {
                Err(UsageError::Word { flag, value: text.to_owned() })
            }
            other => Ok(other),
        }
    }

    pub(super) fn vm(&self) -> Result<String, UsageError> {
        let name = self.word("vmname")?.ok_or_else(|| self.missing("vmname"))?;
        checked("vmname", name, value::name)
    }

    pub(super) fn mac(&self) -> Result<Mac, UsageError> {
        self.needed("vmmac").and_then(|text| checked("vmmac", text, value::mac))
    }

    pub(super) fn sequence(&self) -> Result<i64, UsageError> {
        let flag = "seq";
        let text = self.needed(flag)?;
        text.parse().map_err(|_| UsageError::Number { flag, value: text.to_owned() })
    }

    /// Older releases write the action as a word of its own.
    pub(super) fn action(&self) -> Result<bool, UsageError> {
        match self.needed("action")? {
            "-A" => Ok(true),
            "-D" => Ok(false),
            other => Err(UsageError::Action(other.to_owned())),
        }
    }

    pub(super) fn nic(&self) -> Result<Nic, UsageError> {
        let ipv6 = self.text("vmip6").map(|text| checked("vmip6", text, value::address));
        let (ipv6, secondary) = (ipv6.transpose()?.map(Address::to_ip), self.secondary()?);
        Ok(Nic { ipv6, secondary, ..self.bare_nic()? })
    }

    /// Without addresses of IPv6.
    pub(super) fn bare_nic(&self) -> Result<Nic, UsageError> {
        Ok(Nic {
            vm: self.vm()?,
            id: self.word("vmid")?.ok_or_else(|| self.missing("vmid"))?.to_owned(),
            mac: self.mac()?,
            interface: self.needed("vif").and_then(|text| checked("vif", text, value::interface))?,
            // IPv4 is the stock script's; a network of IPv6 alone has none, and says so in its own way.
            ipv4: self.text("vmip").and_then(|text| text.parse().ok()),
            ipv6: None,
            secondary: Vec::new(),
        })
    }

    /// `ip;ip;` of both families, or `0;` for none.
    pub(super) fn secondary(&self) -> Result<Vec<Secondary>, UsageError> {
        let entries = self.text("nicsecips").unwrap_or_default().split([';', ',']).map(str::trim);
        let ipv6 = entries.filter(|entry| !entry.is_empty() && *entry != "0" && !is_ipv4(entry));
        ipv6.map(|text| checked("nicsecips", text, secondary)).collect()
    }
}

fn checked<T>(flag: &'static str, text: &str, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Result<T, UsageError> {
    parse(text).map_err(|problem| UsageError::Value { flag, value: text.to_owned(), problem: Box::new(problem) })
}

/// Some releases put a prefix where others have addresses: it is the VM's as a whole.
fn secondary(text: &str) -> Result<Secondary, Problem> {
    if !text.contains('/') {
        return value::address(text).map(|address| Secondary::Address(address.to_ip()));
    }
    let prefix = value::prefix(text)?;
    Ok(if prefix.prefix_len() == 128 { Secondary::Address(prefix.addr()) } else { Secondary::Delegated(prefix) })
}

fn is_ipv4(text: &str) -> bool {
    text.split('/').next().is_some_and(|address| address.parse::<Ipv4Addr>().is_ok())
}
