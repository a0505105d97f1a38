//! The user side of ipv6-sg: state → compile → kernel.
//!
//! - [`cli`]: what a person types, one file a verb
//! - [`state`]: what the operator wants, read and checked
//! - [`compile`]: what the maps should hold for it
//!
//! Packets are judged by `ipv6-sg-common` alone; nothing here parses them.

pub mod cli;
pub mod compile;
pub mod state;
