//! Asking somebody again and again, and keeping what he last answered.
//!
//! Knows neither whom it asks nor what for. What is answered wrong, late or not at all is an error, and what was answered before
//! stays.
//!
//! - [`Poller`]: asking without end, and `pace`, when
//! - [`Store`]: where the last good answer is kept

mod pace;
mod poller;
mod store;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use pace::Rate;
pub use poller::{Event, Poller};
pub use store::{LoadError, Store};

/// What is answered, as a whole.
pub trait Answer: Serialize + DeserializeOwned + PartialEq + Send + Sync + 'static {
    /// Who answers, by name.
    const WHO: &'static str;
    /// The name of the file that keeps it, which is no other's below `data_dir`.
    const FILE: &'static str;
}

/// Strings for the tests of this room.
#[cfg(test)]
impl Answer for Vec<String> {
    const WHO: &'static str = "Somebody";
    const FILE: &'static str = "answer.json";
}
