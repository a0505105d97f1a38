//! What every neighbour discovery message must satisfy, in either direction (RFC 4861 sections 6.1, 7.1 and 8.1).

use super::{Check, Packet, Reason};
use crate::abi::Port;
use crate::packet::icmpv6::{HEADER, Message, nd_fixed_part};
use crate::packet::{Fragment, Frame, LinkLayerOptions, link_layer_options};

/// Not fragmented (RFC 6980), hop limit 255, code 0.
#[inline(always)]
pub(super) fn sound<F: Frame>(packet: &Packet<'_, F>, message: Message) -> Check {
    if packet.headers.fragment != Fragment::None {
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

/// The options, walked to the end.
#[inline(always)]
pub(super) fn options<F: Frame>(port: &Port, packet: &Packet<'_, F>, message: Message) -> Check<LinkLayerOptions> {
    let fixed = nd_fixed_part(message.kind).unwrap_or(HEADER);
    link_layer_options(packet.frame, packet.headers.upper + fixed, packet.headers.end, port.mac)
}

/// The options of what the VM sends: every link-layer address is its own, and none from `::`.
#[inline(always)]
pub(super) fn own_options<F: Frame>(port: &Port, packet: &Packet<'_, F>, message: Message) -> Check {
    let found = options(port, packet, message)?;
    if found.foreign {
        return Err(Reason::NdLinkLayerSpoofed);
    }
    if found.source && packet.ip.source.is_unspecified() {
        return Err(Reason::NdLinkLayerUnspecified);
    }
    Ok(())
}
