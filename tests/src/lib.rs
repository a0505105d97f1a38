//! Shared parts of the end-to-end tests.
//!
//! - [`world`]: the VM, its router and its neighbours, and the ports that guard the VM
//! - [`frame`]: frames of any shape, honest and not
//! - [`corpus`]: named frames, each with the verdict and the reason that the policy asks for
//! - [`host`]: what the verdict looks up, on the host

pub mod corpus;
pub mod frame;
pub mod host;
pub mod lab;
pub mod world;
