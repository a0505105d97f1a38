//! What every neighbour discovery message must satisfy, in either direction (RFC 4861 sections 6.1, 7.1 and 8.1).

use super::{Check, Packet, Reason};
use crate::abi::Port;
use crate::address::Address;
use crate::packet::icmpv6::{HEADER, Message, nd_fixed_part, nd_target};
use crate::packet::{FragmentKind, Frame, LinkLayerOption, walk_options};

/// Not fragmented (RFC 6980), hop limit 255, code 0.
#[inline(always)]
pub(super) fn sound<F: Frame>(packet: &Packet<'_, F>, message: Message) -> Check {
    if packet.headers.fragment.kind != FragmentKind::None {
        return Err(Reason::NdFragmented);
    }
    if packet.ip.hop_limit != 255 {
        return Err(Reason::NdHopLimit);
    }
    if message.code != 0 {
        return Err(Reason::NdCode);
    }
    Ok(())
}

/// The address that a solicitation or advertisement is about.
#[inline(always)]
pub(super) fn target<F: Frame>(packet: &Packet<'_, F>) -> Check<Address> {
    nd_target(packet.frame, packet.headers.upper).ok_or(Reason::UpperTruncated)
}

/// The options of what reaches the VM: well-formed, whatever they say.
#[inline(always)]
pub(super) fn options<F: Frame>(packet: &Packet<'_, F>, message: Message) -> Check {
    walk(packet, message, |_| Ok(()))
}

/// The options of what the VM sends: every link-layer address is its own, and none from `::`.
#[inline(always)]
pub(super) fn own_options<F: Frame>(port: &Port, packet: &Packet<'_, F>, message: Message) -> Check {
    let unspecified = packet.ip.source.is_unspecified();
    let own = port.mac_number();
    walk(packet, message, |option| {
        if unspecified && option.is_source() {
            return Err(Reason::NdLinkLayerUnspecified);
        }
        if option.holds(own) { Ok(()) } else { Err(Reason::NdLinkLayerSpoofed) }
    })
}

#[inline(always)]
fn walk<F: Frame>(packet: &Packet<'_, F>, message: Message, check: impl Fn(LinkLayerOption) -> Check) -> Check {
    let fixed = nd_fixed_part(message.kind).unwrap_or(HEADER);
    walk_options(packet.frame, packet.headers.upper + fixed, packet.headers.end, check)
}
