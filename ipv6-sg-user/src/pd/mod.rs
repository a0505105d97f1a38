//! Prefix delegation: which VM has which prefixes of the pool. Kea's hosts database is the only record.
//!
//! Whoever changes anything holds the pool's row until it is done, on whichever machine: one at a time. The database itself
//! refuses two prefixes that overlap, whoever writes them: see [`guard`].
//!
//! - [`Pool`]: the pool in the database; with it `transaction`
//! - [`allocate`], [`release`], [`list`], [`rebuild`], [`check`](mod@check): what can be done with it
//! - [`sync`]: following a list of all VMs
//! - [`guard`]: what is installed in the database
//! - [`kea_config`]: what Kea has to be told
//! - `take`: where the next prefix is found; with it `walk`, and `free`, which are those that were released
//! - `names`: how it is written among Kea's hosts
//! - `space`: blocks of addresses
//! - [`error`]: why something is refused
//!
//! Asks nobody which VMs there are, and sets no route.

pub mod allocate;
pub mod check;
pub mod error;
mod free;
pub mod guard;
mod host;
pub mod kea_config;
pub mod list;
mod names;
pub mod pool;
pub mod rebuild;
pub mod release;
mod space;
pub mod sync;
mod take;
mod transaction;
mod walk;

pub use error::PdError;
pub use pool::Pool;
