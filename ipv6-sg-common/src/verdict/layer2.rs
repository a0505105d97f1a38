//! Layer 2: a port sends with its own MAC, untagged, IPv6; IPv4 and ARP as the setting says.

use super::{Check, Reason};
use crate::abi::{Direction, Port, PortFlags};
use crate::mac::Mac;
use crate::packet::{Frame, ethertype};

/// Passes on IPv6; everything else is decided here.
#[inline(always)]
pub(super) fn check<F: Frame>(direction: Direction, port: &Port, frame: &F) -> Check {
    // The last 8 bytes of the Ethernet header: source MAC and type.
    let Some([source_and_type]) = frame.words::<1>(6) else {
        return Err(Reason::FrameTruncated);
    };
    match direction {
        Direction::FromVm => {
            if !port.mac.starts(source_and_type) {
                return Err(Reason::MacSpoofed);
            }
        }
        Direction::ToVm => {
            let Some([destination]) = frame.words::<1>(0) else {
                return Err(Reason::FrameTruncated);
            };
            if !port.mac.starts(destination) && !Mac::from_word(destination).is_multicast() {
                return Err(Reason::NotForThisMac);
            }
        }
    }
    if frame.tagged_beside() {
        return Err(Reason::VlanTagged);
    }
    let [.., high, low] = source_and_type.to_ne_bytes();
    let kind = u16::from_be_bytes([high, low]);
    let ipv4 = port.flags.has(PortFlags::IPV4_DROP);
    match kind {
        ethertype::IPV6 => Ok(()),
        ethertype::IPV4 | ethertype::ARP if ipv4 => Err(Reason::Ipv4Disabled),
        ethertype::IPV4 => Err(Reason::Ipv4),
        ethertype::ARP => Err(Reason::Arp),
        ethertype::VLAN | ethertype::SERVICE_VLAN | ethertype::OLD_VLAN => Err(Reason::VlanTagged),
        ..ethertype::FIRST => Err(Reason::LengthTyped),
        _ => Err(Reason::EtherType),
    }
}
