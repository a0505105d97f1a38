//! The header chain between the IPv6 header and the upper layer (RFC 8200 section 4).
//!
//! Walked here are exactly the headers a receiver walks before it hands the packet to the upper layer: hop-by-hop,
//! routing, fragment, authentication, destination options. Encapsulating security payload and unknown numbers end the
//! walk as the upper protocol.

use super::ipv6::{Ipv6Header, PAYLOAD};
use super::{Frame, protocol};
use crate::abi::Be32;
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

/// What the fragment header said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// There was none.
    None,
    /// Offset 0, no more to come: a whole packet with a fragment header.
    Atomic,
    /// Offset 0, more to come.
    First {
        /// Identification of the packet.
        identification: Be32,
        /// Bytes of the fragmentable part in this fragment.
        end: u32,
    },
    /// Anything after the first: no headers to see.
    Later {
        /// Identification of the packet.
        identification: Be32,
        /// Where this fragment starts in the fragmentable part, bytes.
        offset: u32,
    },
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
    if let Fragment::First { .. } = fragment { Reason::FragmentHeadless } else { otherwise }
}

/// Walks the chain of the packet whose fixed header is `header`.
///
/// # Errors
/// The reason why no receiver should see this packet.
#[inline(always)]
pub fn walk<F: Frame>(frame: &F, header: &Ipv6Header) -> Result<Headers, Reason> {
    let end = PAYLOAD + usize::from(header.payload_length);
    let mut fragment = Fragment::None;
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
        let [following, length, third, fourth, i0, i1, i2, i3] = word.to_ne_bytes();
        let size = match next {
            FRAGMENT => {
                if fragment != Fragment::None {
                    return Err(Reason::FragmentTwice);
                }
                let field = u16::from_be_bytes([third, fourth]);
                let (offset, more) = (field & 0xfff8, field & 1 == 1);
                let size = end - at - UNIT;
                if more && size == 0 {
                    return Err(Reason::FragmentEmpty);
                }
                if more && !size.is_multiple_of(8) {
                    return Err(Reason::FragmentLength);
                }
                // What precedes the fragment header counts too: it is in the reassembled packet.
                if at - PAYLOAD + usize::from(offset) + size > MAX_REASSEMBLED {
                    return Err(Reason::FragmentTooLong);
                }
                let identification = Be32(u32::from_ne_bytes([i0, i1, i2, i3]));
                if offset != 0 {
                    let fragment = Fragment::Later { identification, offset: u32::from(offset) };
                    return Ok(Headers { protocol: following, upper: at + UNIT, end, fragment });
                }
                #[expect(clippy::cast_possible_truncation, reason = "the payload length has 16 bits")]
                let first = Fragment::First { identification, end: size as u32 };
                fragment = if more { first } else { Fragment::Atomic };
                UNIT
            }
            ROUTING => {
                if third == 0 {
                    return Err(Reason::RoutingType0);
                }
                if fourth != 0 {
                    return Err(Reason::RoutingSegmentsLeft);
                }
                (usize::from(length) + 1) * 8
            }
            AUTHENTICATION => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        at += size;
        if at > end {
            return Err(truncated(&fragment, Reason::ExtensionTruncated));
        }
        next = following;
    }
    let headers = Headers { protocol: next, upper: at, end, fragment };
    if next == protocol::ICMPV4 { Err(Reason::Icmpv4) } else { Ok(headers) }
}
