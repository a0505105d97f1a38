//! What follows the chain: TCP, UDP, SCTP, or any bytes under any number.

use std::net::Ipv6Addr;

/// An upper-layer header and its data.
#[derive(Clone, Debug)]
pub struct Upper {
    protocol: u8,
    bytes: Vec<u8>,
    /// Where the Internet checksum over all of it belongs.
    checksum: Option<usize>,
    /// Whether all of it but the pseudo-header is left to whoever finishes the packet.
    partial: bool,
}

/// Bytes as they are under this number.
pub fn raw(protocol: u8, bytes: Vec<u8>) -> Upper {
    Upper { protocol, bytes, checksum: None, partial: false }
}

/// A TCP segment with these flags and no data.
pub fn tcp(from: u16, to: u16, flags: u8) -> Upper {
    let mut bytes = [from.to_be_bytes(), to.to_be_bytes()].concat();
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    Upper { protocol: 6, bytes, checksum: Some(16), partial: false }
}

/// A UDP datagram.
pub fn udp(from: u16, to: u16, data: &[u8]) -> Upper {
    let length = u16::try_from(8 + data.len()).expect("a datagram has a 16-bit length");
    let mut bytes = [from.to_be_bytes(), to.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    bytes.extend(data);
    Upper { protocol: 17, bytes, checksum: Some(6), partial: false }
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
        Self { protocol: 58, bytes, checksum: Some(2), partial: false }
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

    /// With this data behind what is there.
    #[must_use]
    pub fn data(mut self, data: &[u8]) -> Self {
        self.bytes.extend(data);
        self
    }

    /// With the checksum left to the network card: its field holds the sum of the pseudo-header, as a guest leaves it that
    /// says so.
    #[must_use]
    pub fn partial_checksum(self) -> Self {
        Self { partial: true, ..self }
    }

    /// Its bytes between these addresses.
    pub fn bytes(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some(field) = self.checksum.and_then(|at| bytes.get_mut(at..at + 2)) {
            let pseudo = pseudo_header(source, destination, self.protocol, self.bytes.len());
            let value = if self.partial { sum(&[&pseudo]) } else { checksum(&pseudo, &self.bytes) };
            field.copy_from_slice(&value.to_be_bytes());
        }
        bytes
    }
}

/// Whether the checksum of a packet is right: its bytes from the IPv6 header on, behind which TCP, UDP or ICMPv6 follows.
pub fn checksum_holds(packet: &[u8]) -> bool {
    let (header, upper) = packet.split_at(40);
    let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&header[at..at + 16]).expect("16 bytes"));
    // With the checksum in place the sum over everything is all ones.
    sum(&[&pseudo_header(address(8), address(24), header[6], upper.len()), upper]) == 0xffff
}

/// What a checksum covers besides the packet's own bytes (RFC 8200 section 8.1); `length` in bytes.
fn pseudo_header(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, length: usize) -> Vec<u8> {
    let length = u32::try_from(length).expect("a payload is short");
    [&source.octets()[..], &destination.octets(), &length.to_be_bytes(), &[0, 0, 0, protocol]].concat()
}

/// The Internet checksum.
fn checksum(pseudo: &[u8], bytes: &[u8]) -> u16 {
    match !sum(&[pseudo, bytes]) {
        // UDP's zero means that there is none.
        0 => 0xffff,
        sum => sum,
    }
}

/// The ones' complement sum of 16-bit numbers; only the last part may have an odd length.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}

#[cfg(test)]
mod tests {
    use super::super::Ipv6;
    use super::*;

    #[test]
    fn a_checksum_verifies() {
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        for upper in [tcp(1, 2, 2), udp(1, 2, b"odd"), Upper::icmpv6(128, 0, &[0, 1, 0, 2, 3])] {
            let mut packet = Ipv6::new(a, b, upper.clone()).bytes();
            assert!(checksum_holds(&packet), "{upper:?}");
            packet[47] ^= 1;
            assert!(!checksum_holds(&packet), "{upper:?}");
        }
    }

    #[test]
    fn a_partial_checksum_is_finished_by_summing_what_follows() {
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let segment = tcp(1, 2, 0x10).data(b"odd");
        let mut packet = Ipv6::new(a, b, segment.clone().partial_checksum()).bytes();
        assert!(!checksum_holds(&packet));
        let finished = !sum(&[&packet[40..]]);
        packet[56..58].copy_from_slice(&finished.to_be_bytes());
        assert_eq!(packet, Ipv6::new(a, b, segment).bytes());
    }
}
