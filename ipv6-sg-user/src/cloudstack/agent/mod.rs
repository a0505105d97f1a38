//! The agent's side: it calls a script with a subcommand and flags, one call for each thing that happens to a VM.
//!
//! - [`command`]: one call, out of its arguments; with it `flags`, what these mean
//! - [`rules`]: the text of its `--rules`
//! - [`rule_logs`]: what it asks every minute
//! - [`places`](mod@places): which tap is which NIC's
//! - [`declare`](mod@declare): as desired state; with it `living`, who has what
//! - [`record`] and [`registry`]: what is known after all calls so far
//! - `refused`: what becomes of a NIC whose call cannot be done
//! - `secondary`: which NIC an address is for that a VM gets while it runs
//! - [`store`]: where that is kept

pub mod command;
pub mod declare;
mod flags;
mod living;
mod places;
pub mod record;
mod refused;
pub mod registry;
pub mod rule_logs;
pub mod rules;
mod secondary;
pub mod store;

pub use command::{Command, Nic, UsageError};
pub use declare::{Networks, declare};
pub use places::{are_told, places, twins};
pub use record::Vm;
pub use registry::{Change, Registry, Unknown};
pub use rule_logs::{RuleLog, RuleLogs};
pub use rules::{Rules, RulesError};
pub use store::Store;
