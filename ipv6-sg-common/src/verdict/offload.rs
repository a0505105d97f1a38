//! What is done to a packet after the verdict may not undo the verdict.
//!
//! A guest's virtio-net header may ask the host to write a checksum, two bytes of the guest's choice, anywhere in the
//! frame, and to cut the frame into segments. Both happen when the packet leaves the host, behind every filter. So the
//! checksum must land in its own field or behind everything that was judged, as it does for the inner packet of a tunnel;
//! and segments must not bring forth messages that nobody has judged.

use super::{Check, Packet, Reason};
use crate::abi::Direction;
use crate::packet::{ETHERNET_HEADER, FragmentKind, Frame, Offload, ethertype, protocol};

/// Bytes at the start of an upper header other than TCP's and UDP's that filters look at: ports, or their like.
const PORTS: usize = 4;

/// Length of a UDP header.
const UDP: usize = 8;

/// Whether an IPv4 or ARP frame stays what whoever filters it sees.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a header length is 4 bits")]
pub(super) fn beside_ipv6<F: Frame>(frame: &F, ether_type: u16) -> Check {
    let offload = frame.offload();
    if ether_type == ethertype::ARP {
        return if offload.has_checksum() || offload.segmented { Err(Reason::Ipv4Offload) } else { Ok(()) };
    }
    if !offload.has_checksum() && !offload.segmented {
        return Ok(());
    }
    // Its last byte is the first of the IPv4 header.
    let Some([word]) = frame.head::<1>(ETHERNET_HEADER - 7) else { return Err(Reason::Ipv4Offload) };
    let header = (u64::from_be(word) as usize & 0xf) * 4;
    let header = if header < 20 { 20 } else { header };
    let upper = ETHERNET_HEADER + header;
    if offload.checksum_at < upper + PORTS || (offload.segmented && offload.inner_at < upper + UDP) {
        return Err(Reason::Ipv4Offload);
    }
    Ok(())
}

/// Whether an IPv6 packet stays what was judged.
#[inline(always)]
pub(super) fn check<F: Frame>(direction: Direction, packet: &Packet<'_, F>) -> Check {
    let offload = packet.frame.offload();
    let headers = &packet.headers;
    let whole = matches!(headers.fragment.kind, FragmentKind::None | FragmentKind::Atomic);
    if offload.segmented {
        let cut = match headers.protocol {
            protocol::TCP => offload.inner_at == Offload::NOWHERE,
            // DHCPv6: each segment would begin with a message type of its own. From 6.17 on the guest says where the
            // packet inside a tunnel begins; the kernel looks only that it is behind where the guest says UDP is.
            protocol::UDP => !packet.stays_on_link() && offload.inner_at >= headers.upper + UDP,
            protocol::ICMPV6 => false,
            // To the VM, receive offload may have joined the packets of any tunnel.
            _ => matches!(direction, Direction::ToVm) && offload.inner_at >= headers.upper,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Port, PortFlags};
    use crate::mac::Mac;
    use crate::packet::Bytes;
    use crate::verdict::empty::Empty;
    use crate::verdict::judge;

    const MAC: Mac = Mac { octets: [6, 0x7a, 0x88, 0, 0, 0x8b] };
    const UPPER: usize = 54;

    /// A frame from the VM's link-local address.
    fn packet(next_header: u8, destination: [u8; 16], payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x33, 0x33, 0, 0, 0, 1];
        frame.extend(MAC.octets);
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, u8::try_from(payload.len()).unwrap(), next_header, 255]);
        frame.extend(Port::new(MAC, PortFlags::default()).slaac[0].octets);
        frame.extend(destination);
        frame.extend(payload);
        frame
    }

    fn port() -> Port {
        let mut port = Port::new(MAC, PortFlags::default());
        port.slaac[0].octets[..8].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0]);
        port
    }

    /// The same with the port's global address as its source.
    fn global(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = packet(next_header, [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], payload);
        frame[22..38].copy_from_slice(&port().slaac[0].octets);
        frame
    }

    fn verdict(frame: &[u8], offload: Offload) -> Reason {
        judge(Direction::FromVm, &port(), &Bytes { offload, ..Bytes::new(frame) }, &Empty)
    }

    fn checksum(at: usize) -> Offload {
        Offload { checksum_at: at, ..Offload::NONE }
    }

    const SEGMENTS: Offload = Offload { segmented: true, ..Offload::NONE };

    /// Of all places in the frame, the checksum may land in these.
    #[track_caller]
    fn only(frame: &[u8], passes: Reason, dies: Reason, allowed: impl Fn(usize) -> bool) {
        assert_eq!(verdict(frame, Offload::NONE), passes);
        for at in 0..frame.len() + 8 {
            let wanted = if allowed(at) { passes } else { dies };
            assert_eq!(verdict(frame, checksum(at)), wanted, "at {at}");
        }
    }

    #[test]
    fn a_checksum_lands_in_its_field_or_behind_the_judged() {
        let dies = Reason::ChecksumOffload;
        only(&global(protocol::TCP, &[0; 80]), Reason::Traffic, dies, |at| at == UPPER + 16 || at >= UPPER + 20);
        only(&global(protocol::UDP, &[0; 80]), Reason::Traffic, dies, |at| at == UPPER + 6 || at >= UPPER + 12);
        // GRE, and what a tunnel carries.
        only(&global(47, &[0; 80]), Reason::Traffic, dies, |at| at >= UPPER + 4);
        let mut echo = [0; 80];
        echo[0] = 128;
        only(&global(protocol::ICMPV6, &echo), Reason::Echo, dies, |_| false);
    }

    #[test]
    fn behind_extension_headers_the_field_moves() {
        let mut payload = [0; 96];
        payload[..2].copy_from_slice(&[protocol::TCP, 1]);
        let field = UPPER + 16 + 16;
        only(&global(60, &payload), Reason::Traffic, Reason::ChecksumOffload, |at| at == field || at >= field + 4);
    }

    #[test]
    fn fragments_are_finished_before_they_are_cut() {
        let later = [protocol::UDP, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        only(&global(44, &later), Reason::FragmentUnknown, Reason::ChecksumOffload, |_| false);
        assert_eq!(verdict(&global(44, &later), SEGMENTS), Reason::SegmentOffload);
        let mut atomic = [0; 80];
        atomic[0] = protocol::TCP;
        let field = UPPER + 8 + 16;
        only(&global(44, &atomic), Reason::Traffic, Reason::ChecksumOffload, |at| at == field || at >= field + 4);
    }

    #[test]
    fn a_dhcpv6_message_is_one_datagram() {
        let mut to_servers = [0; 16];
        to_servers[..2].copy_from_slice(&[0xff, 2]);
        to_servers[13..].copy_from_slice(&[1, 0, 2]);
        let mut solicit = [0; 24];
        solicit[..9].copy_from_slice(&[2, 34, 2, 35, 0, 24, 0, 0, 1]);
        let mut frame = packet(protocol::UDP, to_servers, &solicit);
        frame[22..38].copy_from_slice(&port().link_local.octets);
        only(&frame, Reason::Dhcpv6, Reason::ChecksumOffload, |at| at == UPPER + 6 || at >= UPPER + 12);
        assert_eq!(verdict(&frame, SEGMENTS), Reason::SegmentOffload);
    }

    #[test]
    fn segments_are_tcps_or_udps() {
        for (next_header, payload, wanted) in [
            (protocol::TCP, [0; 80], Reason::Traffic),
            (protocol::UDP, [0; 80], Reason::Traffic),
            (
                protocol::ICMPV6,
                {
                    let mut echo = [0; 80];
                    echo[0] = 128;
                    echo
                },
                Reason::SegmentOffload,
            ),
            (47, [0; 80], Reason::SegmentOffload),
        ] {
            assert_eq!(verdict(&global(next_header, &payload), SEGMENTS), wanted, "{next_header}");
        }
        // What receive offload joined on its way to the VM may be a tunnel's.
        let mut gre = global(47, &[0; 80]);
        gre[..6].copy_from_slice(&MAC.octets);
        gre.copy_within(22..38, 38);
        gre[22..38].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let frame = Bytes { offload: SEGMENTS, ..Bytes::new(&gre) };
        assert_eq!(judge(Direction::ToVm, &port(), &frame, &Empty), Reason::Traffic);
    }

    #[test]
    fn the_packet_inside_a_tunnel_is_behind_the_header_of_the_tunnel() {
        let inside = |inner_at| Offload { inner_at, ..SEGMENTS };
        for at in 0..160 {
            let udp = verdict(&global(protocol::UDP, &[0; 80]), inside(at));
            assert_eq!(udp == Reason::Traffic, at >= UPPER + 8, "{at}: {udp}");
            assert_eq!(verdict(&global(protocol::TCP, &[0; 80]), inside(at)), Reason::SegmentOffload);
        }
    }

    #[test]
    fn ipv4_and_arp_stay_what_their_filters_see() {
        let mut ipv4 = vec![0xff; 6];
        ipv4.extend(MAC.octets);
        ipv4.extend([8, 0, 0x46]);
        ipv4.extend([0; 60]);
        only(&ipv4, Reason::Ipv4, Reason::Ipv4Offload, |at| at >= 14 + 24 + 4);
        ipv4[14] = 0x41;
        only(&ipv4, Reason::Ipv4, Reason::Ipv4Offload, |at| at >= 14 + 20 + 4);
        assert_eq!(verdict(&ipv4, SEGMENTS), Reason::Ipv4);
        assert_eq!(verdict(&ipv4, Offload { inner_at: 14 + 20 + 7, ..SEGMENTS }), Reason::Ipv4Offload);
        assert_eq!(verdict(&ipv4, Offload { inner_at: 14 + 20 + 8, ..SEGMENTS }), Reason::Ipv4);
        assert_eq!(verdict(&ipv4[..14], checksum(60)), Reason::Ipv4Offload);
        ipv4[13] = 6;
        only(&ipv4, Reason::Arp, Reason::Ipv4Offload, |_| false);
        assert_eq!(verdict(&ipv4, SEGMENTS), Reason::Ipv4Offload);
    }
}
