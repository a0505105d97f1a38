//! Shared parts of the end-to-end tests, the demo and the benchmark.
//!
//! - [`world`]: the VM, its router and its neighbours, and the ports that guard the VM
//! - [`state`]: the same port as an operator writes it
//! - [`frame`]: frames of any shape, honest and not
//! - [`corpus`]: named frames, each with the verdict and the reason that the policy asks for
//! - [`stories`]: named sequences both ways, while rules change and time passes
//! - [`forged`]: what an attacker sends, told in words
//! - [`host`]: the verdict on the host
//! - [`object`]: the verdict of the kernel program, run alone or on a live interface
//! - [`live`]: a port that frames really cross, with a wire at either end
//! - [`fuzz`]: frames that nobody thought of
//! - [`sequences`]: what crosses a port while rules change and time passes, at random
//! - [`foreign`]: a tc program of somebody else
//! - [`lab`]: a small hypervisor in network namespaces
//! - [`delegation`]: prefixes, from a DHCPv6 server to VMs
//! - [`management`]: a management server of CloudStack's
#![expect(clippy::indexing_slicing, reason = "tests, all of it: a panic is how they fail")]

pub mod corpus;
pub mod delegation;
pub mod foreign;
pub mod forged;
pub mod frame;
pub mod fuzz;
pub mod host;
pub mod lab;
pub mod live;
pub mod management;
pub mod object;
pub mod sequences;
pub mod state;
pub mod stories;
pub mod world;
