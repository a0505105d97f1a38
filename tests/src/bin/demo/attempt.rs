//! The lab panics when something goes wrong, as tests want it. Here that becomes an error to be told.

use std::panic::{self, AssertUnwindSafe};

use anyhow::{Result, anyhow};
use ipv6_sg_tests::lab::wait_if_ending;

/// Panics are told as errors from here on, not when they happen.
pub fn quietly() {
    panic::set_hook(Box::new(|_| {}));
}

/// Runs it; a panic is an error. Does not come back with one that a signal's clean-up has caused.
///
/// # Errors
/// Its own, and its panics.
pub fn attempt<T>(what: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic leaves half done is not looked at again: an exchange has nothing that another one uses.
    let result = panic::catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(anyhow!("{}", text.unwrap_or("something went wrong without a word")))
    });
    if result.is_err() {
        wait_if_ending();
    }
    result
}
