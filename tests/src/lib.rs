//! Shared parts of the end-to-end tests.
//!
//! - [`world`]: the VM, its router and its neighbours, and the ports that guard the VM
//! - [`frame`]: frames of any shape, honest and not
//! - [`corpus`]: named frames, each with the verdict and the reason that the policy asks for
//! - [`host`]: the verdict on the host
//! - [`object`]: the verdict of the kernel program, run alone or on a live interface
//! - [`fuzz`]: frames that nobody thought of
//! - [`foreign`]: a tc program of somebody else
//! - [`lab`]: a small hypervisor in network namespaces
//! - [`paged`]: frames that direct packet access cannot read
#![expect(clippy::indexing_slicing, reason = "tests, all of it: a panic is how they fail")]

pub mod corpus;
pub mod foreign;
pub mod frame;
pub mod fuzz;
pub mod host;
pub mod lab;
pub mod object;
pub mod paged;
pub mod world;
