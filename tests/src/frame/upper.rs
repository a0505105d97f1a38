//! What follows the chain: TCP, UDP, SCTP, or any bytes under any number.

use std::net::Ipv6Addr;

/// An upper-layer header and its data.
#[derive(Clone, Debug)]
pub struct Upper {
    protocol: u8,
    bytes: Vec<u8>,
    /// Where the Internet checksum over all of it belongs.
    checksum: Option<usize>,
}

/// Bytes as they are under this number.
pub fn raw(protocol: u8, bytes: Vec<u8>) -> Upper {
    Upper { protocol, bytes, checksum: None }
}

/// A TCP segment with these flags and no data.
pub fn tcp(from: u16, to: u16, flags: u8) -> Upper {
    let mut bytes = [from.to_be_bytes(), to.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    Upper { protocol: 6, bytes, checksum: Some(16) }
}

/// A UDP datagram.
pub fn udp(from: u16, to: u16, data: &[u8]) -> Upper {
    let length = u16::try_from(8 + data.len()).expect("a datagram has a 16-bit length");
    let mut bytes = [from.to_be_bytes(), to.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    bytes.extend(data);
    Upper { protocol: 17, bytes, checksum: Some(6) }
}

/// An SCTP common header with an INIT chunk's beginning; its checksum is none of the Internet's and left out.
pub fn sctp(from: u16, to: u16) -> Upper {
    let mut bytes = [from.to_be_bytes(), to.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 4]);
    raw(132, bytes)
}

impl Upper {
    /// An ICMPv6 message; `body` follows type, code and checksum.
    pub fn icmpv6(kind: u8, code: u8, body: &[u8]) -> Self {
        let mut bytes = vec![kind, code, 0, 0];
        bytes.extend(body);
        Self { protocol: 58, bytes, checksum: Some(2) }
    }

    /// Its number.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// With this code: for ICMPv6.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.bytes[1] = code;
        self
    }

    /// Its bytes between these addresses.
    pub fn bytes(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some(field) = self.checksum.and_then(|at| bytes.get_mut(at..at + 2)) {
            field.copy_from_slice(&checksum(source, destination, self.protocol, &self.bytes).to_be_bytes());
        }
        bytes
    }
}

/// The Internet checksum with IPv6's pseudo-header (RFC 8200 section 8.1).
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, bytes: &[u8]) -> u16 {
    let length = u32::try_from(bytes.len()).expect("a payload is short");
    let pseudo = [&source.octets()[..], &destination.octets(), &length.to_be_bytes(), &[0, 0, 0, protocol]].concat();
    let mut sum = 0_u32;
    for pair in pseudo.chunks(2).chain(bytes.chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !u16::try_from(sum).expect("folded");
    // UDP's zero means that there is none.
    if sum == 0 { 0xffff } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_verifies() {
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        // With the checksum in place the sum over everything is all ones, its complement zero (shown as ffff here).
        for upper in [tcp(1, 2, 2), udp(1, 2, b"odd"), Upper::icmpv6(128, 0, &[0, 1, 0, 2, 3])] {
            assert_eq!(checksum(a, b, upper.protocol(), &upper.bytes(a, b)), 0xffff);
        }
    }
}
