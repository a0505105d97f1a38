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
    /// The packet's own header; `None` when the frame ends within it.
    #[inline(always)]
    pub fn of<F: Frame>(frame: &F) -> Option<Self> {
        frame.head(ETHERNET_HEADER).map(Self::from_words)
    }

    /// The header that starts at `offset`; `None` when the frame ends within it.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &F, offset: usize) -> Option<Self> {
        frame.words(offset).map(Self::from_words)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the fields are cut out of the word")]
    fn from_words([first, s0, s1, d0, d1]: [u64; 5]) -> Self {
        let first = u64::from_be(first);
        Self {
            version: (first >> 60) as u8,
            payload_length: (first >> 16) as u16,
            next_header: (first >> 8) as u8,
            hop_limit: first as u8,
            source: Address::from_words([s0, s1]),
            destination: Address::from_words([d0, d1]),
        }
    }
}
