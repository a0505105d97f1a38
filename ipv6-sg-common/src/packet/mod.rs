//! Reading headers out of a frame. Knows where fields are, not what may pass.

mod captured;
mod extension;
pub mod icmpv6;
mod ipv6;
mod nd;
mod offload;
mod summary;

pub use captured::Captured;
pub use extension::{Fragment, FragmentKind, Headers, MAX_EXTENSION_HEADERS, quotes_routing_header, walk};
pub use ipv6::{Ipv6Header, PAYLOAD as IPV6_PAYLOAD};
pub use nd::{LinkLayerOption, walk_options};
pub use offload::Offload;
pub use summary::{Summary, macs};

/// Ethernet header length in bytes.
pub const ETHERNET_HEADER: usize = 14;

/// Types of the Ethernet header (host byte order).
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// VLAN tag (802.1Q).
    pub const VLAN: u16 = 0x8100;
    /// Service VLAN tag (802.1ad).
    pub const SERVICE_VLAN: u16 = 0x88a8;
    /// VLAN tag of older bridges.
    pub const OLD_VLAN: u16 = 0x9100;
    /// Smaller numbers are lengths: 802.3 with LLC.
    pub const FIRST: u16 = 0x0600;
}

/// Upper-layer protocols the guard looks into.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMPV4: u8 = 1;
    /// An IPv4 packet inside.
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// An IPv6 packet inside.
    pub const IPV6: u8 = 41;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// No Next Header.
    pub const NONE: u8 = 59;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDP_LITE: u8 = 136;
    /// An Ethernet frame inside.
    pub const ETHERNET: u8 = 143;
}

/// Read access to one Ethernet frame. Offsets count from the destination MAC.
///
/// Implemented once for the kernel (direct packet access, helper calls as the fallback) and once for byte slices.
pub trait Frame {
    /// Bytes in the frame, whether linear or not.
    fn length(&self) -> usize;

    /// Whether a VLAN tag is held beside the frame.
    fn tagged_beside(&self) -> bool;

    /// What is left to be done to the frame after this look at it.
    fn offload(&self) -> Offload;

    /// `N` × 8 bytes from `offset` on, as memory images (byte order untouched); `None` past the end.
    fn words<const N: usize>(&self, offset: usize) -> Option<[u64; N]>;

    /// [`Self::words`] at an offset that is known when the program is compiled.
    #[inline(always)]
    fn head<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        self.words(offset)
    }

    /// `value`, such that the verifier no longer knows anything of it. Where many paths meet, what it still knows of
    /// each makes it follow the rest of the program once for every one of them.
    #[inline(always)]
    fn forget(&self, value: usize) -> usize {
        value
    }
}

/// A frame in memory.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    /// The frame, from the destination MAC on.
    pub bytes: &'a [u8],
    /// Whether a VLAN tag is held beside it.
    pub tagged_beside: bool,
    /// What is left to be done to it.
    pub offload: Offload,
}

impl<'a> Bytes<'a> {
    /// A frame with nothing beside it.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, tagged_beside: false, offload: Offload::NONE }
    }
}

impl Frame for Bytes<'_> {
    fn length(&self) -> usize {
        self.bytes.len()
    }

    fn tagged_beside(&self) -> bool {
        self.tagged_beside
    }

    fn offload(&self) -> Offload {
        self.offload
    }

    fn words<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        let end = offset.checked_add(N * 8)?;
        let (chunks, _) = self.bytes.get(offset..end)?.as_chunks::<8>();
        let mut words = [0; N];
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_ne_bytes(*chunk);
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_end_where_they_end() {
        let data: Vec<u8> = (0..20).collect();
        let frame = Bytes::new(&data);
        assert_eq!(frame.words::<1>(12), Some([u64::from_ne_bytes([12, 13, 14, 15, 16, 17, 18, 19])]));
        assert_eq!(frame.words::<1>(13), None);
        assert_eq!(frame.words::<2>(4).map(|[_, second]| second.to_ne_bytes()[0]), Some(12));
        assert_eq!(frame.words::<2>(5), None);
        assert_eq!(frame.words::<1>(usize::MAX), None);
    }
}
