//! The memory of first fragments: what lets later fragments through.

use super::{Be32, Direction};
use crate::address::Address;

/// What fragments of one packet have in common (RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct FragmentKey {
    /// Source of the packet.
    pub source: Address,
    /// Destination of the packet.
    pub destination: Address,
    /// Identification of the packet.
    pub identification: Be32,
    /// A [`Direction`].
    pub direction: u8,
    /// Zero.
    pub padding: [u8; 3],
}

const _: () = assert!(size_of::<FragmentKey>() == 40);

impl FragmentKey {
    /// The key of a packet that crosses the port this way.
    #[inline(always)]
    pub const fn new(source: Address, destination: Address, identification: Be32, direction: Direction) -> Self {
        Self { source, destination, identification, direction: direction as u8, padding: [0; 3] }
    }
}

/// A first fragment that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct FirstFragment {
    /// When it passed, nanoseconds of the monotonic clock.
    pub seen_ns: u64,
    /// Where it ends: bytes of the fragmentable part. Later fragments may not start before.
    pub end: u32,
    /// Zero.
    pub padding: u32,
}

const _: () = assert!(size_of::<FirstFragment>() == 16);
