//! Databases of Kea's: servers of the tests' own, with the schemas that Kea's releases make.
//!
//! - [`Server`]: PostgreSQL or MariaDB, in a directory of its own, on sockets alone
//! - [`Release`]: the releases of Kea whose schemas there are
//! - [`Hosts`]: a database on a server, with the tables of a release
//! - [`Open`]: a transaction that stays open
//! - [`Desk`]: who gives prefixes that are recorded there
//!
//! Each is gone when it is dropped.

mod desk;
mod hosts;
mod open;
mod release;
mod server;

pub use desk::{Desk, POOL};
pub use hosts::{Hosts, KEA, write_secret};
pub use open::Open;
pub use release::Release;
pub use server::Server;
