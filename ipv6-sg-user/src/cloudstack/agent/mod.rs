//! The agent's side: it calls a script with a subcommand and flags, one call for each thing that happens to a VM.
//!
//! - [`command`]: one call, out of its arguments
//! - [`rules`]: the text of its `--rules`
//! - [`declare`](mod@declare): as desired state
//! - [`record`] and [`registry`]: what is known after all calls so far
//! - [`store`]: where that is kept

pub mod command;
pub mod declare;
pub mod record;
pub mod registry;
pub mod rules;
pub mod store;

pub use command::{Command, Nic, UsageError};
pub use declare::declare;
pub use record::Vm;
pub use registry::Registry;
pub use rules::{Rules, RulesError};
pub use store::Store;
