//! What is done to a packet after the verdict may not undo the verdict.
//!
//! A guest's virtio-net header may ask the host to write a checksum, two bytes of the guest's choice, anywhere in the
//! frame, and to cut the frame into segments. Both happen when the packet leaves the host, behind every filter. So the
//! checksum must land in its own field or behind everything that was judged, as it does for the inner packet of a tunnel;
//! and segments must not bring forth messages that nobody has judged.

use super::{Check, Packet, Reason};
use crate::abi::Direction;
use crate::packet::{ETHERNET_HEADER, FragmentKind, Frame, ethertype, protocol};

/// Bytes at the start of an upper header other than TCP's and UDP's that filters look at: ports, or their like.
const PORTS: usize = 4;

/// Whether an IPv4 or ARP frame stays what whoever filters it sees.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a header length is 4 bits")]
pub(super) fn beside_ipv6<F: Frame>(frame: &F, ether_type: u16) -> Check {
    let offload = frame.offload();
    if ether_type == ethertype::ARP {
        return if offload.has_checksum() || offload.segmented { Err(Reason::Ipv4Offload) } else { Ok(()) };
    }
    if !offload.has_checksum() {
        return Ok(());
    }
    // Its last byte is the first of the IPv4 header.
    let Some([word]) = frame.head::<1>(ETHERNET_HEADER - 7) else { return Err(Reason::Ipv4Offload) };
    let header = (u64::from_be(word) as usize & 0xf) * 4;
    let header = if header < 20 { 20 } else { header };
    if offload.checksum_at < ETHERNET_HEADER + header + PORTS { Err(Reason::Ipv4Offload) } else { Ok(()) }
}

/// Whether an IPv6 packet stays what was judged.
#[inline(always)]
pub(super) fn check<F: Frame>(direction: Direction, packet: &Packet<'_, F>) -> Check {
    let offload = packet.frame.offload();
    let headers = &packet.headers;
    let whole = matches!(headers.fragment.kind, FragmentKind::None | FragmentKind::Atomic);
    if offload.segmented {
        let cut = match headers.protocol {
            protocol::TCP => true,
            // DHCPv6: each segment would begin with a message type of its own.
            protocol::UDP => !packet.stays_on_link(),
            // To the VM, receive offload may have joined the packets of any tunnel.
            _ => matches!(direction, Direction::ToVm),
        };
        if !cut || !whole {
            return Err(Reason::SegmentOffload);
        }
    }
    if !offload.has_checksum() {
        return Ok(());
    }
    let (field, free) = match headers.protocol {
        protocol::TCP => (16, 20),
        // Four bytes of payload: a DHCPv6 message's type.
        protocol::UDP => (6, 12),
        // Everything in it is judged, and no guest leaves its checksum to the device.
        protocol::ICMPV6 => return Err(Reason::ChecksumOffload),
        _ => (PORTS, PORTS),
    };
    let at = offload.checksum_at;
    if whole && (at == headers.upper + field || at >= headers.upper + free) {
        Ok(())
    } else {
        Err(Reason::ChecksumOffload)
    }
}
