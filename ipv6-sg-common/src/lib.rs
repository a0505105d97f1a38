//! What the kernel program and user space share: the verdict on a packet and the layout of the maps.
//!
//! `no_std`, no I/O, no allocation, no aya: the same code is compiled for BPF, for the daemon's `explain`, for unit
//! tests and for fuzzing. Nothing here may panic, whatever the packet says: in the kernel a reachable panic is a loop
//! the verifier refuses.
//!
//! - [`address`], [`mac`], [`eui64`]: the addresses a port may use are computed from its MAC
//! - [`packet`]: reading headers out of a frame
//! - [`verdict`]: what may cross a port, and why not
//! - [`abi`]: what the maps hold
#![cfg_attr(not(test), no_std)]

pub mod abi;
pub mod address;
pub mod eui64;
pub mod mac;
pub mod packet;
pub mod verdict;
