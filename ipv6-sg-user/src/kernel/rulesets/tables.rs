//! The tables that rulesets lie in, in the kernel.

use std::collections::BTreeMap;

use ipv6_sg_common::abi::RulesetId;

use crate::compile::{Allowance, Prefix};
use crate::kernel::Result;

/// A peer of a ruleset, as the tables have it. Ordered by ruleset, then by address, then by length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::kernel) struct Peer {
    /// Whose peer it is.
    pub(in crate::kernel) ruleset: RulesetId,
    /// Its addresses.
    pub(in crate::kernel) prefix: Prefix,
    /// The class it is in.
    pub(in crate::kernel) class: u32,
}

/// The tables. A trait so that the order of what is done to them can be tested without a kernel.
pub(in crate::kernel) trait Tables {
    /// All peers, in their order, each once. Hundreds of thousands may be read often: nothing but a list of them is made.
    fn peers(&self) -> Result<Vec<Peer>>;
    /// What each class may.
    fn classes(&self) -> Result<BTreeMap<u32, Allowance>>;
    /// Puts a peer in a class.
    fn put_peer(&mut self, ruleset: RulesetId, peer: Prefix, class: u32) -> Result<()>;
    /// Forgets a peer.
    fn remove_peer(&mut self, ruleset: RulesetId, peer: Prefix) -> Result<()>;
    /// Lets a class have this.
    fn put_class(&mut self, class: u32, allowance: &Allowance) -> Result<()>;
    /// Forgets a class.
    fn remove_class(&mut self, class: u32, allowance: &Allowance) -> Result<()>;
    /// The generation that flows are told by.
    fn generation(&self) -> Result<u32>;
    /// Makes it this one: every flow of another is put to the rules again.
    fn renew(&mut self, generation: u32) -> Result<()>;
}
