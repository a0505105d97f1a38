//! What is odd in an answer, and what is made of it. Each is about one tenant's or one network's things: it is noted, and
//! everybody else's is as it should be.

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;

use crate::state::Problem;

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Oddity {
    /// VMs do not form addresses from this.
    #[error(
        "network {network:?} has {cidr}: {problem}; VMs on it have the addresses that CloudStack lists, and no more"
    )]
    Prefix {
        /// The network's name.
        network: String,
        /// Its prefix.
        cidr: Ipv6Net,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// An address or a prefix that is nobody's.
    #[error("{vm} is given {address}: {problem}; it may not use it")]
    Address {
        /// The VM.
        vm: String,
        /// What it is given.
        address: Ipv6Net,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// A MAC that is nobody's.
    #[error("{vm} is given MAC {mac}: {problem}; that NIC is not guarded")]
    Mac {
        /// The VM.
        vm: String,
        /// The MAC.
        mac: Mac,
        /// What is wrong with it.
        problem: Box<Problem>,
    },
    /// NICs and taps that cannot be told apart, for libvirt does not say either whose they are.
    #[error(
        "{mac} of {vm} is the MAC of {nics} NICs and {taps} taps on this host, but for the first octet: libvirt does not tell which is whose, and they are left as they are"
    )]
    Ambiguous {
        /// A VM.
        vm: String,
        /// The MAC of its NIC.
        mac: Mac,
        /// How many NICs there are.
        nics: usize,
        /// How many taps there are.
        taps: usize,
    },
    /// NICs of one VM that cannot be told apart.
    #[error(
        "{vm} has several NICs with MAC {mac}, and which tap is which cannot be told: each may use that MAC alone, and nothing may come in; give the VM one with another MAC"
    )]
    Twins {
        /// The VM.
        vm: String,
        /// The MAC of all of them.
        mac: Mac,
    },
    /// A rule that cannot be understood.
    #[error("{group} {side}[{index}]: {problem}; it allows nothing")]
    Rule {
        /// The group, as it is declared.
        group: String,
        /// `ingress` or `egress`.
        side: &'static str,
        /// Which rule, from 0, as CloudStack lists them.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// VMs that are named and not listed.
    #[error("{count} VMs are in security groups and not listed, {first} for one; their addresses are in no group")]
    Unlisted {
        /// How many.
        count: usize,
        /// The id of one.
        first: String,
    },
}
