//! The eBPF object, built with this binary and carried inside it.

use aya::include_bytes_aligned;

/// The object.
pub static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ipv6-sg-ebpf"));
