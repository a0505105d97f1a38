//! Addresses of a port beyond the inline ones, and the routers its network lists.

use crate::address::Address;

/// Key of the longest-prefix map of delegated prefixes, extra addresses and surplus SLAAC addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct SourceKey {
    /// Bits that count: the interface's 32 and the prefix's length.
    pub prefix_length: u32,
    /// The port's interface, host byte order: always matched whole.
    pub ifindex: u32,
    /// The address, or the prefix with zero host bits.
    pub address: Address,
}

const _: () = assert!(size_of::<SourceKey>() == 24);

impl SourceKey {
    /// The key of a prefix of `length` bits.
    pub const fn prefix(ifindex: u32, address: Address, length: u8) -> Self {
        Self { prefix_length: 32 + length as u32, ifindex, address }
    }

    /// The key that asks for one address.
    #[inline(always)]
    pub const fn address(ifindex: u32, address: Address) -> Self {
        Self::prefix(ifindex, address, 128)
    }
}

/// Key of the set of routers that may advertise to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct RouterKey {
    /// The router's link-local address.
    pub address: Address,
    /// The port's interface, host byte order.
    pub ifindex: u32,
    /// Zero.
    pub padding: u32,
}

const _: () = assert!(size_of::<RouterKey>() == 24);

impl RouterKey {
    /// The key for this router as seen by this port.
    #[inline(always)]
    pub const fn new(ifindex: u32, address: Address) -> Self {
        Self { address, ifindex, padding: 0 }
    }
}
