//! One call of the agent, out of its arguments.
//!
//! Flags that nobody here knows are tolerated, as other releases have others; a subcommand that nobody knows is an error, and
//! so is a value that cannot be understood.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;
use serde::{Deserialize, Serialize};

use super::Rules;
use super::flags::Flags;
use super::rules::RulesError;
use crate::state::Problem;

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

impl Command {
    /// Reads the arguments behind the program's name.
    ///
    /// # Errors
    /// They ask for nothing that is known, or miss or misspell what that needs.
    pub fn parse(arguments: &[String]) -> Result<Self, UsageError> {
        let (command, flags) = arguments.split_first().ok_or(UsageError::NoCommand)?;
        let flags = Flags::new(command, flags);
        Ok(match command.as_str() {
            "can_bridge_firewall" => Self::CanBridgeFirewall,
            "default_network_rules" => Self::DefaultNetworkRules { nic: flags.nic()?, check: flags.has("check") },
            // It has no addresses among its flags, and takes none away.
            "post_default_network_rules" => Self::DefaultNetworkRules { nic: flags.nic()?, check: true },
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

    /// The NIC of a call that says one is there, without its addresses: what is understood of one that is an error.
    pub fn arrived_at_least(arguments: &[String]) -> Option<Nic> {
        let (command, flags) = arguments.split_first()?;
        let flags = Flags::new(command, flags);
        let says_so =
            matches!(command.as_str(), "default_network_rules" | "post_default_network_rules" | "add_network_rules");
        says_so.then(|| flags.bare_nic().ok()).flatten()
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

#[cfg(test)]
mod tests;
