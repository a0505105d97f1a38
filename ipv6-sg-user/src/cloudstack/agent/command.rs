//! One call of the agent, out of its arguments.
//!
//! Flags that nobody here knows are tolerated, as other releases have others; a subcommand that nobody knows is an error, and
//! so is a value that cannot be understood.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use ipv6_sg_common::address::Address;
use ipv6_sg_common::mac::Mac;
use serde::{Deserialize, Serialize};

use super::Rules;
use super::rules::RulesError;
use crate::state::{Problem, value};

/// What the agent asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Whether this host can do security groups at all.
    CanBridgeFirewall,
    /// A NIC is there: its addresses, and no rules yet. Of a NIC that is known nothing is disturbed when `check` is set.
    DefaultNetworkRules {
        /// The NIC.
        nic: Nic,
        /// Only look whether it is in place.
        check: bool,
    },
    /// A NIC is there, and these are its VM's rules.
    AddNetworkRules {
        /// The NIC.
        nic: Nic,
        /// What the management server tells versions of the rules by.
        signature: String,
        /// It grows with each version.
        sequence: i64,
        /// The rules for IPv6.
        rules: Rules,
    },
    /// A VM goes, with all its NICs.
    DestroyVm {
        /// Its name.
        vm: String,
    },
    /// A NIC goes.
    DestroyNic {
        /// The VM's name.
        vm: String,
        /// The NIC's.
        mac: Mac,
    },
    /// A NIC has other addresses than before.
    SecondaryAddresses {
        /// The VM's name.
        vm: String,
        /// The NIC's.
        mac: Mac,
        /// Which.
        addresses: Vec<Secondary>,
        /// Whether they come or go.
        add: bool,
    },
    /// A NIC has these addresses, and rules are in force.
    VerifyNetworkRules {
        /// The VM's name.
        vm: String,
        /// The NIC's.
        mac: Mac,
    },
    /// A system VM is there: it filters for itself.
    SystemVm {
        /// Its name.
        vm: String,
    },
    /// Which rules are in force, by VM.
    GetRuleLogs,
    /// What libvirt no longer runs goes.
    CleanupRules,
}

/// A NIC, as the agent describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// The VM's name.
    pub vm: String,
    /// The VM's number; the management server wants it back.
    pub id: String,
    /// The VM's MAC.
    pub mac: Mac,
    /// The tap, as far as the agent knows.
    pub interface: String,
    /// The VM's IPv4 address; the management server wants it back.
    pub ipv4: Option<Ipv4Addr>,
    /// The address that the VM forms by SLAAC.
    pub ipv6: Option<Ipv6Addr>,
    /// Further addresses.
    pub secondary: Vec<Secondary>,
}

/// What a NIC may use beside its own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Secondary {
    /// One address.
    Address(Ipv6Addr),
    /// A prefix that is delegated to it.
    Delegated(Ipv6Net),
}

/// What is wrong with the agent's arguments.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum UsageError {
    /// Nothing was asked.
    #[error("no subcommand; the agent calls this with one such as get_rule_logs_for_vms")]
    NoCommand,
    /// Nobody knows what was asked.
    #[error("{0:?} is no subcommand of the agent's")]
    UnknownCommand(String),
    /// A flag that the subcommand needs is not there.
    #[error("{command} needs --{flag}")]
    Missing {
        /// The subcommand.
        command: String,
        /// The flag.
        flag: &'static str,
    },
    /// The value of a flag.
    #[error("--{flag} {value:?}: {problem}")]
    Value {
        /// The flag.
        flag: &'static str,
        /// What was written.
        value: String,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// The value of a flag that is a number.
    #[error("--{flag} {value:?}: not a number")]
    Number {
        /// The flag.
        flag: &'static str,
        /// What was written.
        value: String,
    },
    /// A word that could not be given back.
    #[error("--{flag} {value:?}: holds a comma, a semicolon or a control character, which separate what is given back")]
    Word {
        /// The flag.
        flag: &'static str,
        /// What was written.
        value: String,
    },
    /// `--action`.
    #[error("--action {0:?}: write -A to add, or -D to remove")]
    Action(String),
    /// `--rules`.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

/// The flags of a call, by name; those without a value have an empty one.
struct Flags {
    command: String,
    values: BTreeMap<String, String>,
}

impl Command {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// They ask for nothing that is known, or miss or misspell what that needs.
    pub fn parse(arguments: &[String]) -> Result<Self, UsageError> {
        let (command, flags) = arguments.split_first().ok_or(UsageError::NoCommand)?;
        let flags = Flags { command: command.clone(), values: values(flags) };
        Ok(match command.as_str() {
            "can_bridge_firewall" => Self::CanBridgeFirewall,
            "default_network_rules" | "post_default_network_rules" => {
                Self::DefaultNetworkRules { nic: flags.nic()?, check: flags.has("check") }
            }
            "add_network_rules" => Self::AddNetworkRules {
                nic: flags.nic()?,
                signature: flags.word("sig")?.unwrap_or_default().to_owned(),
                sequence: flags.sequence()?,
                rules: flags.text("rules").map(Rules::parse).transpose()?.unwrap_or_default(),
            },
            "destroy_network_rules_for_vm" => match flags.text("vmmac") {
                Some(_) => Self::DestroyNic { vm: flags.vm()?, mac: flags.mac()? },
                None => Self::DestroyVm { vm: flags.vm()? },
            },
            "network_rules_vmSecondaryIp" => Self::SecondaryAddresses {
                vm: flags.vm()?,
                mac: flags.mac()?,
                addresses: flags.secondary()?,
                add: flags.action()?,
            },
            "verify_network_rules" => Self::VerifyNetworkRules { vm: flags.vm()?, mac: flags.mac()? },
            "default_network_rules_systemvm" => Self::SystemVm { vm: flags.vm()? },
            "get_rule_logs_for_vms" => Self::GetRuleLogs,
            "cleanup_rules" => Self::CleanupRules,
            unknown => return Err(UsageError::UnknownCommand(unknown.to_owned())),
        })
    }

    /// The VM that it is about, if it is about one.
    pub fn vm(&self) -> Option<&str> {
        match self {
            Self::DefaultNetworkRules { nic, .. } | Self::AddNetworkRules { nic, .. } => Some(&nic.vm),
            Self::DestroyVm { vm }
            | Self::DestroyNic { vm, .. }
            | Self::SecondaryAddresses { vm, .. }
            | Self::VerifyNetworkRules { vm, .. }
            | Self::SystemVm { vm } => Some(vm),
            Self::CanBridgeFirewall | Self::GetRuleLogs | Self::CleanupRules => None,
        }
    }
}

/// `--name value` and `--name=value`, and a value may begin with one dash. A flag that is given twice has the later value.
fn values(arguments: &[String]) -> BTreeMap<String, String> {
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
    values
}

impl Flags {
    fn has(&self, flag: &str) -> bool {
        self.values.contains_key(flag)
    }

    /// What was said with this flag; nothing is as good as no flag.
    fn text(&self, flag: &str) -> Option<&str> {
        self.values.get(flag).map(|value| value.trim()).filter(|value| !value.is_empty() && *value != "null")
    }

    fn needed(&self, flag: &'static str) -> Result<&str, UsageError> {
        self.text(flag).ok_or_else(|| self.missing(flag))
    }

    fn missing(&self, flag: &'static str) -> UsageError {
        UsageError::Missing { command: self.command.clone(), flag }
    }

    /// What goes back to the management server in a list, and so holds none of its marks.
    fn word(&self, flag: &'static str) -> Result<Option<&str>, UsageError> {
        match self.text(flag) {
            Some(text) if text.contains([',', ';']) || text.chars().any(char::is_control) => {
                Err(UsageError::Word { flag, value: text.to_owned() })
            }
            other => Ok(other),
        }
    }

    fn vm(&self) -> Result<String, UsageError> {
        let name = self.word("vmname")?.ok_or_else(|| self.missing("vmname"))?;
        checked("vmname", name, value::name)
    }

    fn mac(&self) -> Result<Mac, UsageError> {
        self.needed("vmmac").and_then(|text| checked("vmmac", text, value::mac))
    }

    fn sequence(&self) -> Result<i64, UsageError> {
        let flag = "seq";
        let text = self.needed(flag)?;
        text.parse().map_err(|_| UsageError::Number { flag, value: text.to_owned() })
    }

    /// Older releases write the action as a word of its own.
    fn action(&self) -> Result<bool, UsageError> {
        match self.needed("action")? {
            "-A" => Ok(true),
            "-D" => Ok(false),
            other => Err(UsageError::Action(other.to_owned())),
        }
    }

    fn nic(&self) -> Result<Nic, UsageError> {
        let ipv6 = self.text("vmip6").map(|text| checked("vmip6", text, value::address));
        Ok(Nic {
            vm: self.vm()?,
            id: self.word("vmid")?.ok_or_else(|| self.missing("vmid"))?.to_owned(),
            mac: self.mac()?,
            interface: self.needed("vif").and_then(|text| checked("vif", text, value::interface))?,
            // IPv4 is the stock script's; a network of IPv6 alone has none, and says so in its own way.
            ipv4: self.text("vmip").and_then(|text| text.parse().ok()),
            ipv6: ipv6.transpose()?.map(Address::to_ip),
            secondary: self.secondary()?,
        })
    }

    /// `ip;ip;` of both families, or `0;` for none.
    fn secondary(&self) -> Result<Vec<Secondary>, UsageError> {
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

#[cfg(test)]
mod tests;
