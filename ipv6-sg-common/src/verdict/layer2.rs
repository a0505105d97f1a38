//! Layer 2: a port sends with its own MAC, untagged, IPv6; IPv4 and ARP as the setting says.

use super::{Check, Reason, offload};
use crate::abi::{Direction, Port, PortFlags};
use crate::packet::{Frame, ethertype};

/// The group bit of a MAC as a number.
const GROUP: u64 = 1 << 40;

/// Passes on IPv6; everything else is decided here.
#[inline(always)]
pub(super) fn check<F: Frame>(direction: Direction, port: &Port, frame: &F) -> Check {
    // The last 8 bytes of the Ethernet header: source MAC and type.
    let Some([source_and_type]) = frame.head::<1>(6) else {
        return Err(Reason::FrameTruncated);
    };
    let source_and_type = u64::from_be(source_and_type);
    match direction {
        Direction::FromVm => {
            if source_and_type >> 16 != port.mac_number() {
                return Err(Reason::MacSpoofed);
            }
        }
        Direction::ToVm => {
            let Some([destination]) = frame.head::<1>(0) else {
                return Err(Reason::FrameTruncated);
            };
            let destination = u64::from_be(destination) >> 16;
            if destination != port.mac_number() && destination & GROUP == 0 {
                return Err(Reason::NotForThisMac);
            }
        }
    }
    if frame.tagged_beside() {
        return Err(Reason::VlanTagged);
    }
    let ipv4_off = port.flags.has(PortFlags::IPV4_DROP);
    #[expect(clippy::cast_possible_truncation, reason = "the type is the last 16 bits")]
    let ether_type = source_and_type as u16;
    match ether_type {
        ethertype::IPV6 => Ok(()),
        ethertype::IPV4 | ethertype::ARP if ipv4_off => Err(Reason::Ipv4Disabled),
        ethertype::IPV4 | ethertype::ARP => {
            offload::beside_ipv6(frame, ether_type)?;
            Err(if ether_type == ethertype::ARP { Reason::Arp } else { Reason::Ipv4 })
        }
        ethertype::VLAN | ethertype::SERVICE_VLAN | ethertype::OLD_VLAN => Err(Reason::VlanTagged),
        ..ethertype::FIRST => Err(Reason::LengthTyped),
        _ => Err(Reason::EtherType),
    }
}
