//! CloudStack: what its agent says on this host, as [`state`](crate::state) has it.
//!
//! Knows CloudStack's words and turns them into declarations; decides no policy and touches no kernel.

pub mod agent;
