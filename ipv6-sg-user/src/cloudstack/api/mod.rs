//! The management server's side: its HTTP API, asked again and again, for hosts whose agent is left alone.
//!
//! - [`config`]: where it is, and what it is asked as
//! - [`client`]: asking; with it `secret`, `signature`, `http`, `answer`, `words` and `pages`, each one step of the way
//! - [`census`]: all VMs there are, on all hosts
//! - [`inventory`]: what it answered, as plain data
//! - [`declare`](mod@declare): as desired state; with it `plugged`, `names`, `grants` and `members`
//!
//! What is answered wrong, late, in part or not at all is an error. Asking without end is [`poll`](crate::poll)'s.

mod answer;
pub mod census;
pub mod client;
pub mod config;
pub mod declare;
pub mod error;
mod grants;
mod http;
pub mod inventory;
mod members;
mod names;
pub mod oddity;
mod pages;
mod plugged;
mod secret;
mod signature;
mod words;

use crate::poll;

pub use census::Inhabitant;
pub use client::Client;
pub use config::{Config, Limits};
pub use declare::{Declared, declare, translate};
pub use error::ApiError;
pub use inventory::Inventory;
pub use oddity::Oddity;
pub use plugged::are_told;

/// Where the last good answer is kept.
pub type Store = poll::Store<Inventory>;

/// The asking.
pub type Poller = poll::Poller<Inventory, ApiError>;

/// What it tells.
pub type Event = poll::Event<Inventory, ApiError>;
