//! CloudStack: what its agent says on this host, or its management server, as [`state`](crate::state) has it, and what
//! libvirt runs here.
//!
//! Knows CloudStack's words and turns them into declarations; decides no policy and touches no kernel.
//!
//! - [`agent`]: the calls that CloudStack's agent makes on this host
//! - [`api`]: what the management server answers when it is asked
//! - `bare`: what is wanted of a NIC of which nothing is known but its MAC
//! - [`ipv4_script`]: the script that filters IPv4
//! - [`libvirt`]: what runs on this host
//! - [`taps`]: the taps of this host, and whose they are

pub mod agent;
pub mod api;
mod bare;
pub mod ipv4_script;
pub mod libvirt;
pub mod taps;

pub use bare::is_bare;
pub use taps::{Owner, Taps};
