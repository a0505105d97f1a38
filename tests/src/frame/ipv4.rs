//! The rest of what a guest sends: IPv4 and ARP.

use ipv6_sg_common::abi::Direction;

use super::{Ethernet, Ipv6};

/// An IPv4 packet with this protocol and payload, checksum not filled in.
pub fn packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).expect("short");
    let mut bytes = vec![0x45, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 1, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 10, 198, 51, 100, 7]);
    bytes.extend(payload);
    bytes
}

/// An echo request over IPv4.
pub fn ping(direction: Direction) -> Ethernet {
    Ethernet::new(direction, 0x0800, packet(1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]))
}

/// An IPv6 packet inside an IPv4 packet.
pub fn six_in_four(direction: Direction, inner: &Ipv6) -> Ethernet {
    Ethernet::new(direction, 0x0800, packet(41, &inner.bytes()))
}

/// A question who has an address.
pub fn arp(direction: Direction) -> Ethernet {
    let mut body = vec![0, 1, 8, 0, 6, 4, 0, 1];
    body.extend(crate::world::VM_MAC.octets);
    body.extend([192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1]);
    Ethernet::new(direction, 0x0806, body).to(ipv6_sg_common::mac::Mac { octets: [0xff; 6] })
}
