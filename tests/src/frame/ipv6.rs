//! The IPv6 header and the chain behind it.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::mac::Mac;

use super::{Ethernet, Extension, IPV6, Upper, extension, raw};

/// An IPv6 packet.
#[derive(Clone, Debug)]
pub struct Ipv6 {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    version: u8,
    hop_limit: u8,
    payload_length: Option<u16>,
    extensions: Vec<Extension>,
    upper: Upper,
    cut: usize,
}

impl Ipv6 {
    /// A packet with hop limit 64 and nothing between the header and `upper`.
    pub fn new(source: Ipv6Addr, destination: Ipv6Addr, upper: Upper) -> Self {
        let (version, hop_limit, cut) = (6, 64, 0);
        Self { source, destination, version, hop_limit, payload_length: None, extensions: Vec::new(), upper, cut }
    }

    /// With this source.
    #[must_use]
    pub fn from(self, source: Ipv6Addr) -> Self {
        Self { source, ..self }
    }

    /// With this destination.
    #[must_use]
    pub fn to(self, destination: Ipv6Addr) -> Self {
        Self { destination, ..self }
    }

    /// With this hop limit.
    #[must_use]
    pub fn hops(self, hop_limit: u8) -> Self {
        Self { hop_limit, ..self }
    }

    /// With this version.
    #[must_use]
    pub fn version(self, version: u8) -> Self {
        Self { version, ..self }
    }

    /// With this payload length, whatever the payload.
    #[must_use]
    pub fn payload_length(self, length: u16) -> Self {
        Self { payload_length: Some(length), ..self }
    }

    /// With this upper layer.
    #[must_use]
    pub fn upper(self, upper: Upper) -> Self {
        Self { upper, ..self }
    }

    /// With one more extension header, behind those that are there.
    #[must_use]
    pub fn ext(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Without the last `count` bytes of the payload; the payload length agrees.
    #[must_use]
    pub fn cut(self, count: usize) -> Self {
        Self { cut: count, ..self }
    }

    /// The upper layer in fragments of these sizes and one with the rest; the extension headers go into each.
    pub fn fragments(&self, identification: u32, sizes: &[usize]) -> Vec<Self> {
        let payload = self.upper.bytes(self.source, self.destination);
        let mut fragments = Vec::new();
        let mut at = 0_usize;
        for size in sizes.iter().copied().chain([usize::MAX]) {
            let end = at.saturating_add(size).min(payload.len());
            let header = extension::fragment(identification, at, end < payload.len());
            let upper = raw(self.upper.protocol(), payload[at..end].to_vec());
            fragments.push(Self { upper, ..self.clone() }.ext(header));
            at = end;
        }
        fragments
    }

    /// The payload, chain included.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for (index, extension) in self.extensions.iter().enumerate() {
            payload.extend(extension.bytes(self.number(index + 1)));
        }
        payload.extend(self.upper.bytes(self.source, self.destination));
        payload.truncate(payload.len() - self.cut);
        payload
    }

    /// The number of the header at this place of the chain.
    fn number(&self, index: usize) -> u8 {
        self.extensions.get(index).map_or(self.upper.protocol(), Extension::number)
    }

    /// The packet.
    pub fn bytes(&self) -> Vec<u8> {
        let payload = self.payload();
        let length = u16::try_from(payload.len()).expect("a payload has a 16-bit length");
        let mut bytes = vec![self.version << 4, 0, 0, 0];
        bytes.extend(self.payload_length.unwrap_or(length).to_be_bytes());
        bytes.extend([self.number(0), self.hop_limit]);
        bytes.extend(self.source.octets());
        bytes.extend(self.destination.octets());
        bytes.extend(payload);
        bytes
    }

    /// The packet behind an honest Ethernet header.
    pub fn ethernet(&self, direction: Direction) -> Ethernet {
        let ethernet = Ethernet::new(direction, IPV6, self.bytes());
        let [first, .., a, b, c, d] = self.destination.octets();
        if first == 0xff { ethernet.to(Mac { octets: [0x33, 0x33, a, b, c, d] }) } else { ethernet }
    }
}
