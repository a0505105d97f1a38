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

/// Multicast listener discovery never leaves the link (RFC 3810 section 5). Where it goes is for the sender's side to
/// check: a node answers queries to any of its addresses (section 5.1.15).
#[inline(always)]
pub(super) fn listener<F: Frame>(packet: &Packet<'_, F>) -> Check<Reason> {
    if packet.ip.hop_limit != 1 {
        return Err(Reason::MldHopLimit);
    }
    if !packet.ip.source.is_link_local() && !packet.ip.source.is_unspecified() {
        return Err(Reason::MldSource);
    }
    Ok(Reason::Mld)
}

/// Types without a row of their own: some never pass, the others only when a rule names them.
#[inline(always)]
pub(super) fn other(kind: u8) -> Check<Reason> {
    match kind {
        kind::ROUTER_RENUMBERING..=kind::INVERSE_ADVERTISEMENT | kind::HOME_AGENT_DISCOVERY..=kind::RPL => {
            Err(Reason::IcmpForbidden)
        }
        _ => Ok(Reason::IcmpNeedsRule),
    }
}

#[cfg(test)]
mod tests {
    use crate::abi::{Direction, Port, PortFlags};
    use crate::eui64;
    use crate::mac::Mac;
    use crate::packet::Bytes;
    use crate::verdict::empty::Empty;
    use crate::verdict::{Reason, judge};

    /// A listener message of this type with hop limit 1 from one node's link-local address to another's.
    fn message(kind: u8, from: Mac, to: Mac) -> Vec<u8> {
        let mut frame = [to.octets, from.octets].concat();
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 1]);
        frame.extend(eui64::link_local(from).octets);
        frame.extend(eui64::link_local(to).octets);
        frame.extend([kind, 0]);
        frame.extend([0; 22]);
        frame
    }

    #[test]
    fn a_query_may_go_to_the_vm_alone() {
        let (vm, router) = (Mac { octets: [6, 0x7a, 0x88, 0, 0, 0x8b] }, Mac { octets: [2, 0, 0, 0, 0, 1] });
        let port = Port::new(vm, PortFlags::default());
        let query = message(130, router, vm);
        assert_eq!(judge(Direction::ToVm, &port, &Bytes::new(&query), &Empty), Reason::Mld);
        let report = message(131, vm, router);
        assert_eq!(judge(Direction::FromVm, &port, &Bytes::new(&report), &Empty), Reason::MldDestination);
    }
}
