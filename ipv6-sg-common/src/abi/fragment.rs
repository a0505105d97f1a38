//! The memory of first fragments: what lets later fragments through.

use super::{Direction, Selectors};
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
    /// Identification of the packet, host byte order.
    pub identification: u32,
    /// A [`Direction`]; 32 bits wide so that the key has no padding to clear.
    pub direction: u32,
}

const _: () = assert!(size_of::<FragmentKey>() == 40);

impl FragmentKey {
    /// The key of a packet that crosses the port this way.
    #[inline(always)]
    pub const fn new(source: Address, destination: Address, identification: u32, direction: Direction) -> Self {
        Self { source, destination, identification, direction: direction as u32 }
    }
}

/// A first fragment that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct FirstFragment {
    /// When it passed, nanoseconds of [the packet path's clock](super::Clock).
    pub seen_ns: u64,
    /// Where it ends: bytes of the fragmentable part. Later fragments may not start before.
    pub end: u32,
    /// The [`Policy::generation`](super::Policy) under which the rules allowed it.
    pub generation: u32,
    /// By what the rules judged it, and judge the others when that was another generation.
    pub selectors: Selectors,
}

const _: () = assert!(size_of::<FirstFragment>() == 24);

impl FirstFragment {
    /// What to remember when one of the same packet, if any, was seen `before`: the larger end, for a shorter one would open
    /// bytes that were judged for overwriting (RFC 5722), and what the first was judged by, for a receiver that takes only
    /// the first puts the others behind it.
    #[inline(always)]
    pub const fn after(self, before: Option<Self>) -> Self {
        match before {
            Some(Self { end, generation, selectors, .. }) => {
                let end = if end > self.end { end } else { self.end };
                Self { seen_ns: self.seen_ns, end, generation, selectors }
            }
            None => self,
        }
    }
}
