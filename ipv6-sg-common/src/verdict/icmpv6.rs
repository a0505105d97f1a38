//! ICMPv6 rules that are the same in both directions (RFC 4890 section 4).

use super::{Check, Packet, Reason};
use crate::abi::{Port, PortFlags};
use crate::packet::icmpv6::{HEADER, kind};
use crate::packet::{Frame, Ipv6Header};

/// The IPv6 header of the packet that an error is about.
#[inline(always)]
pub(super) fn quoted<F: Frame>(packet: &Packet<'_, F>) -> Check<Ipv6Header> {
    let at = packet.headers.upper + HEADER;
    if at + 40 > packet.headers.end {
        return Err(packet.headers.truncated(Reason::ErrorTruncated));
    }
    Ipv6Header::read(packet.frame, at).ok_or(Reason::ErrorTruncated)
}

/// Echo passes on the link always, beyond it unless the port's rules are to decide.
#[inline(always)]
pub(super) fn echo<F: Frame>(port: &Port, packet: &Packet<'_, F>) -> Reason {
    if port.flags.has(PortFlags::ECHO_RULES) && !packet.stays_on_link() { Reason::Traffic } else { Reason::Echo }
}

/// Multicast listener discovery never leaves the link (RFC 3810 section 5).
#[inline(always)]
pub(super) fn listener<F: Frame>(packet: &Packet<'_, F>) -> Check<Reason> {
    if packet.ip.hop_limit != 1 {
        return Err(Reason::MldHopLimit);
    }
    if !packet.ip.destination.is_multicast() {
        return Err(Reason::MldDestination);
    }
    if !packet.ip.source.is_link_local() && !packet.ip.source.is_unspecified() {
        return Err(Reason::MldSource);
    }
    Ok(Reason::Mld)
}

/// Types without a row of their own: some never pass, the others only when a rule names them.
#[inline(always)]
pub(super) fn other(kind: u8) -> Reason {
    match kind {
        kind::ROUTER_RENUMBERING..=kind::INVERSE_ADVERTISEMENT | kind::HOME_AGENT_DISCOVERY..=kind::RPL => {
            Reason::IcmpForbidden
        }
        _ => Reason::IcmpNeedsRule,
    }
}
