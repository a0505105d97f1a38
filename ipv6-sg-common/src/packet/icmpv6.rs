//! ICMPv6 messages: numbers and where their fields are (RFC 4443, RFC 4861, RFC 3810).

use super::Frame;
use crate::address::Address;

/// Every ICMPv6 message has at least type, code, checksum and four bytes more.
pub const HEADER: usize = 8;

/// Message types with a row of their own in the policy.
pub mod kind {
    /// Destination unreachable.
    pub const DESTINATION_UNREACHABLE: u8 = 1;
    /// Parameter problem, the last error with a meaning.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Echo request.
    pub const ECHO_REQUEST: u8 = 128;
    /// Echo reply.
    pub const ECHO_REPLY: u8 = 129;
    /// Multicast listener query.
    pub const MLD_QUERY: u8 = 130;
    /// Multicast listener report, version 1.
    pub const MLD_REPORT: u8 = 131;
    /// Multicast listener done.
    pub const MLD_DONE: u8 = 132;
    /// Router solicitation.
    pub const ROUTER_SOLICITATION: u8 = 133;
    /// Router advertisement.
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Neighbour solicitation.
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement.
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// Redirect.
    pub const REDIRECT: u8 = 137;
    /// Router renumbering, the first that is never allowed.
    pub const ROUTER_RENUMBERING: u8 = 138;
    /// Inverse neighbour discovery advertisement, the last before MLDv2 reports.
    pub const INVERSE_ADVERTISEMENT: u8 = 142;
    /// Multicast listener report, version 2.
    pub const MLD2_REPORT: u8 = 143;
    /// Home agent address discovery request, the first after MLDv2 reports.
    pub const HOME_AGENT_DISCOVERY: u8 = 144;
    /// RPL control, the last that is never allowed.
    pub const RPL: u8 = 155;
}

/// Type and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
}

impl Message {
    /// The message that starts at `offset`; `None` when the frame ends within its first 8 bytes.
    #[inline(always)]
    pub fn read<F: Frame>(frame: &F, offset: usize) -> Option<Self> {
        let [word] = frame.words::<1>(offset)?;
        let [kind, code, ..] = word.to_ne_bytes();
        Some(Self { kind, code })
    }
}

/// The bytes of a neighbour discovery message before its options; `None` for other types.
#[inline(always)]
pub const fn nd_fixed_part(kind: u8) -> Option<usize> {
    match kind {
        kind::ROUTER_SOLICITATION => Some(8),
        kind::ROUTER_ADVERTISEMENT => Some(16),
        kind::NEIGHBOUR_SOLICITATION | kind::NEIGHBOUR_ADVERTISEMENT => Some(24),
        kind::REDIRECT => Some(40),
        _ => None,
    }
}

/// The target of a neighbour solicitation or advertisement that starts at `offset`.
#[inline(always)]
pub fn nd_target<F: Frame>(frame: &F, offset: usize) -> Option<Address> {
    frame.words::<2>(offset + HEADER).map(Address::from_words)
}
