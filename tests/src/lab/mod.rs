//! A small hypervisor in network namespaces, for tests of the real binary.
//!
//! - [`Netns`]: a network namespace, and things done inside it
//! - [`Process`]: a program that runs beside the test, and what it printed
//! - [`Site`]: one installation's directories, pins, and verbs
//! - [`Hypervisor`]: a namespace with a bridge, the installation, and its daemon
//! - [`Guest`]: a VM behind a port of the bridge
//! - [`Wire`]: frames as they are, sent and seen on an interface
//! - [`tap`]: frames with what a guest leaves to its host to finish
//! - [`transfer`], [`datagrams`]: what guests do all day
//! - [`Traffic`]: honest and forged frames that never pause
//!
//! Everything is removed when it is dropped, also by a test that panics, and named such that tests run side by side.
//! Nothing sleeps for a time and hopes: [`eventually`] waits for a condition.

mod frames;
mod guest;
mod hypervisor;
mod netns;
mod process;
mod site;
mod talk;
pub mod tap;
mod traffic;
mod wire;

use std::thread;
use std::time::{Duration, Instant};

pub use guest::{Guest, Ip};
pub use hypervisor::Hypervisor;
pub use netns::{Netns, run};
pub use process::Process;
pub use site::{Outcome, Site, binary, outcome, port};
pub use talk::{datagrams, transfer};
pub use tap::Tap;
pub use traffic::{Report, Traffic, address, forged, honest};
pub use wire::Wire;

/// How long a test waits for what must happen: far longer than it takes, for machines that do other things too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until there is something.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Looks again and again until there is something, and panics when there is nothing for `patience`.
#[track_caller]
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < patience, "{what}: not within {patience:?}");
        thread::sleep(Duration::from_millis(2));
    }
}
