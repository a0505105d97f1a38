//! The user side of ipv6-sg: state → compile → kernel, in one direction.
//!
//! - [`cli`]: what a person types, one file a verb
//! - [`state`]: what the operator wants, read and checked
//! - [`cloudstack`]: what CloudStack says, in the words of the state
//! - [`sources`]: what files and CloudStack want together
//! - [`kea`]: the database of the DHCPv6 server, where prefixes are reserved for VMs
//! - [`pd`]: which VM has which prefix, recorded there
//! - [`links`]: the interfaces that are here
//! - [`poll`]: asking somebody again and again, and keeping what he last answered
//! - [`compile`]: what the maps should hold for it
//! - [`kernel`]: loading, pinning, attaching, writing the maps
//! - [`daemon`]: keeping the kernel at what is wanted while interfaces and state change
//!
//! Packets are judged by `ipv6-sg-common` alone; nothing here parses them.

pub mod cli;
pub mod cloudstack;
pub mod compile;
pub mod daemon;
mod durable;
pub mod kea;
pub mod kernel;
pub mod links;
pub mod pd;
pub mod poll;
mod secret;
pub mod sources;
pub mod state;

#[cfg(test)]
mod work;
