//! The agent's side: it calls a script with a subcommand and flags, one call for each thing that happens to a VM.
//!
//! - [`command`]: one call, out of its arguments
//! - [`rules`]: the text of its `--rules`

pub mod command;
pub mod rules;

pub use command::{Command, Nic, UsageError};
pub use rules::{Rules, RulesError};
