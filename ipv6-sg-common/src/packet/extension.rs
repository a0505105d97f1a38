//! The header chain between the IPv6 header and the upper layer (RFC 8200 section 4).
//!
//! Walked here are exactly the headers a receiver walks before it hands the packet to the upper layer: hop-by-hop,
//! routing, fragment, authentication, destination options. Encapsulating security payload and unknown numbers end the
//! walk as the upper protocol.

use super::ipv6::{Ipv6Header, PAYLOAD};
use super::{Frame, protocol};
use crate::verdict::Reason;

/// More extension headers than this are refused. RFC 8200 knows five kinds and recommends each at most once.
pub const MAX_EXTENSION_HEADERS: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Every extension header is at least this long, and this much tells where the next one is.
const UNIT: usize = 8;

/// Longest packet a receiver may reassemble: a 16-bit payload length (RFC 8200 section 4.5).
const MAX_REASSEMBLED: usize = 65_535;

/// What kind of fragment a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentKind {
    /// There was no fragment header.
    None,
    /// Offset 0, no more to come: a whole packet with a fragment header.
    Atomic,
    /// Offset 0, more to come.
    First,
    /// Anything after the first: no headers to see.
    Later,
}

/// What the fragment header said. Not an enum with fields: the compiler packs those into words with undefined bytes,
/// which the verifier refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// What kind it is.
    pub kind: FragmentKind,
    /// Identification of the packet, host byte order.
    pub identification: u32,
    /// Where in the fragmentable part, bytes: the end of a first fragment, the start of a later one.
    pub position: u32,
}

impl Fragment {
    const NONE: Self = Self { kind: FragmentKind::None, identification: 0, position: 0 };
}

/// The walked chain.
#[derive(Clone, Copy, Debug)]
pub struct Headers {
    /// The upper-layer protocol; for a later fragment what its fragment header claims.
    pub protocol: u8,
    /// Where the upper-layer header starts in the frame.
    pub upper: usize,
    /// Where the payload ends in the frame; what follows is padding.
    pub end: usize,
    /// The fragment header.
    pub fragment: Fragment,
}

impl Headers {
    /// Bytes from the start of the upper-layer header to the end of the payload.
    #[inline(always)]
    pub fn upper_length(&self) -> usize {
        self.end.saturating_sub(self.upper)
    }

    /// The reason when a header is not whole: RFC 7112 when it went on in a later fragment.
    #[inline(always)]
    pub fn truncated(&self, otherwise: Reason) -> Reason {
        truncated(&self.fragment, otherwise)
    }
}

#[inline(always)]
fn truncated(fragment: &Fragment, otherwise: Reason) -> Reason {
    if fragment.kind == FragmentKind::First { Reason::FragmentHeadless } else { otherwise }
}

/// Walks the chain of the packet whose fixed header is `header`.
///
/// # Errors
/// The reason why no receiver should see this packet.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "fields are cut out of the word; lengths have 16 bits")]
pub fn walk<F: Frame>(frame: &F, header: &Ipv6Header) -> Result<Headers, Reason> {
    let end = PAYLOAD + usize::from(header.payload_length);
    let mut fragment = Fragment::NONE;
    let mut next = header.next_header;
    let mut at = PAYLOAD;
    let mut count = 0;
    while matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION) {
        if count == MAX_EXTENSION_HEADERS {
            return Err(Reason::TooManyHeaders);
        }
        if next == HOP_BY_HOP && count != 0 {
            return Err(Reason::HopByHopNotFirst);
        }
        count += 1;
        if at + UNIT > end {
            return Err(truncated(&fragment, Reason::ExtensionTruncated));
        }
        let Some([word]) = frame.words::<1>(at) else {
            return Err(Reason::ExtensionTruncated);
        };
        let word = u64::from_be(word);
        let (following, length) = ((word >> 56) as u8, (word >> 48) as usize & 0xff);
        let size = match next {
            FRAGMENT => {
                if fragment.kind != FragmentKind::None {
                    return Err(Reason::FragmentTwice);
                }
                let (offset, more) = ((word >> 32) as usize & 0xfff8, word >> 32 & 1 == 1);
                let size = end - at - UNIT;
                if more && size == 0 {
                    return Err(Reason::FragmentEmpty);
                }
                if more && !size.is_multiple_of(8) {
                    return Err(Reason::FragmentLength);
                }
                // What precedes the fragment header counts too: it is in the reassembled packet.
                if at - PAYLOAD + offset + size > MAX_REASSEMBLED {
                    return Err(Reason::FragmentTooLong);
                }
                let identification = word as u32;
                if offset != 0 {
                    let fragment = Fragment { kind: FragmentKind::Later, identification, position: offset as u32 };
                    return Ok(Headers { protocol: following, upper: at + UNIT, end, fragment });
                }
                let kind = if more { FragmentKind::First } else { FragmentKind::Atomic };
                fragment = Fragment { kind, identification, position: size as u32 };
                UNIT
            }
            ROUTING => {
                if word >> 40 & 0xff == 0 {
                    return Err(Reason::RoutingType0);
                }
                if word >> 32 & 0xff != 0 {
                    return Err(Reason::RoutingSegmentsLeft);
                }
                if matches!(following, protocol::IPV4 | protocol::IPV6 | protocol::ETHERNET) {
                    return Err(Reason::RoutingTunnel);
                }
                (length + 1) * 8
            }
            AUTHENTICATION => (length + 2) * 4,
            _ => (length + 1) * 8,
        };
        at = frame.forget(at + size);
        if at > end {
            return Err(truncated(&fragment, Reason::ExtensionTruncated));
        }
        next = following;
    }
    if next == protocol::ICMPV4 {
        return Err(Reason::Icmpv4);
    }
    Ok(Headers {
        protocol: frame.forget(usize::from(next)) as u8,
        upper: frame.forget(at),
        end: frame.forget(end),
        fragment,
    })
}

/// Whether the packet quoted at `offset`, whose fixed header is `quoted`, has a routing header before `end`. Receivers of
/// an error (Linux from 5.17 on) look for the socket at the address that a segment routing header names, not at the
/// quoted destination. A chain too long to follow counts as one.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "fields are cut out of the word")]
pub fn quotes_routing_header<F: Frame>(frame: &F, quoted: &Ipv6Header, offset: usize, end: usize) -> bool {
    let mut next = u64::from(quoted.next_header);
    let mut at = offset + 40;
    for _ in 0..MAX_EXTENSION_HEADERS {
        let kind = next as u8;
        if kind == ROUTING {
            return true;
        }
        if !matches!(kind, HOP_BY_HOP | FRAGMENT | AUTHENTICATION | DESTINATION) || at + UNIT > end {
            return false;
        }
        let Some([word]) = frame.words::<1>(at) else { return false };
        let word = u64::from_be(word);
        let length = (word >> 48) as usize & 0xff;
        let size = match kind {
            FRAGMENT => UNIT,
            AUTHENTICATION => (length + 2) * 4,
            _ => (length + 1) * 8,
        };
        next = word >> 56;
        at = frame.forget(at + size);
    }
    true
}
