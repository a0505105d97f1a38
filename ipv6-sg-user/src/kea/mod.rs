//! Kea's hosts database: the DHCPv6 server looks there for what is reserved for a VM, and so does everybody else. It is the
//! only record of who has which prefix.
//!
//! - [`database`]: a connection, and statements on it
//! - [`schema`]: what the tables look like, by their columns and not by their version
//! - [`reservations`]: the prefixes that are reserved for MACs
//! - [`changes`]: hearing of a change as soon as it is made
//! - [`asking`], [`listening`]: both without end, for the MACs of a host; and [`delegations`], what was said last
//! - [`error`]: why something cannot be done, in one line
//! - `dialect`: where PostgreSQL and MariaDB differ
//!
//! Knows Kea's tables and no policy: which prefix becomes whose is decided elsewhere.

pub mod asking;
pub mod changes;
pub mod database;
pub mod delegations;
mod dialect;
pub mod error;
pub mod listening;
pub mod reservations;
pub mod schema;

pub use asking::{Asking, Wanted};
pub use changes::{Change, Changes};
pub use database::{Database, Parts, Value};
pub use delegations::{Delegation, Delegations};
pub use dialect::Kind;
pub use error::KeaError;
pub use listening::Listening;
pub use reservations::{Reservation, Reserved};
pub use schema::Schema;
