//! The fixed IPv6 header (RFC 8200 section 3).

use super::{ETHERNET_HEADER, Frame};
use crate::address::Address;

/// Where the payload of an IPv6 packet starts in an untagged frame.
pub const PAYLOAD: usize = ETHERNET_HEADER + 40;

/// The fixed header.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6Header {
    /// 6, if the packet is what its Ethernet type says.
    pub version: u8,
    /// Bytes after the fixed header.
    pub payload_length: u16,
    /// Number of the next header.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
}

impl Ipv6Header {
    /// The header that starts at `offset`; `None` when the frame ends within it.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &F, offset: usize) -> Option<Self> {
        let [first, s0, s1, d0, d1] = frame.words::<5>(offset)?;
        let [version_class, _, _, _, high, low, next_header, hop_limit] = first.to_ne_bytes();
        Some(Self {
            version: version_class >> 4,
            payload_length: u16::from_be_bytes([high, low]),
            next_header,
            hop_limit,
            source: Address::from_words([s0, s1]),
            destination: Address::from_words([d0, d1]),
        })
    }
}
