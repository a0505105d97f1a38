//! Frames of any shape. Everything is filled in as an honest sender would, checksums included, until it is told to lie.

pub mod dhcpv6;
pub mod extension;
pub mod flags;
pub mod icmpv6;
pub mod ipv4;
mod ipv6;
pub mod nd;
mod upper;

pub use extension::Extension;
pub use ipv6::Ipv6;
pub use upper::{Upper, checksum_holds, raw, sctp, tcp, udp};

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_common::packet::Offload;

use crate::world::{ROUTER_MAC, VM_MAC};

/// 802.1Q.
pub const VLAN: u16 = 0x8100;
/// 802.1ad.
pub const SERVICE_VLAN: u16 = 0x88a8;
/// The stacked tag of older bridges.
pub const OLD_VLAN: u16 = 0x9100;
/// IPv6.
pub const IPV6: u16 = 0x86dd;

/// A frame as it lies in memory.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// From the destination MAC on.
    pub bytes: Vec<u8>,
    /// Whether a VLAN tag is held beside it.
    pub tagged_beside: bool,
    /// What its sender left to be done to it.
    pub offload: Offload,
}

impl Frame {
    /// A frame with nothing beside it.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, tagged_beside: false, offload: Offload::NONE }
    }

    /// With a checksum due at this place.
    #[must_use]
    pub fn checksum_at(mut self, at: usize) -> Self {
        self.offload.checksum_at = at;
        self
    }

    /// Still to be cut into segments.
    #[must_use]
    pub fn segmented(mut self) -> Self {
        self.offload.segmented = true;
        self
    }
}

impl Frame {
    /// What follows the type, without tags: the kernel takes them off before a socket sees the frame.
    pub fn content(&self) -> &[u8] {
        let mut rest = &self.bytes[12..];
        while let [0x81, 0x00, _, _, behind @ ..] | [0x88, 0xa8, _, _, behind @ ..] = rest {
            rest = behind;
        }
        &rest[2..]
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for byte in &self.bytes {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(if self.tagged_beside { " and a tag beside" } else { "" })?;
        if self.offload == Offload::NONE { Ok(()) } else { write!(f, " and {:?}", self.offload) }
    }
}

/// An Ethernet header with something behind it.
#[derive(Clone, Debug)]
pub struct Ethernet {
    destination: Mac,
    source: Mac,
    tags: Vec<(u16, u16)>,
    /// The type, or the length of what follows when there is none.
    kind: Option<u16>,
    payload: Vec<u8>,
    tagged_beside: bool,
}

impl Ethernet {
    /// What an honest VM or router sends with this type and payload.
    pub fn new(direction: Direction, kind: u16, payload: Vec<u8>) -> Self {
        let (source, destination) = match direction {
            Direction::FromVm => (VM_MAC, ROUTER_MAC),
            Direction::ToVm => (ROUTER_MAC, VM_MAC),
        };
        Self { destination, source, tags: Vec::new(), kind: Some(kind), payload, tagged_beside: false }
    }

    /// With this source MAC.
    #[must_use]
    pub fn from(self, source: Mac) -> Self {
        Self { source, ..self }
    }

    /// With this destination MAC.
    #[must_use]
    pub fn to(self, destination: Mac) -> Self {
        Self { destination, ..self }
    }

    /// With one more tag, inside those that are there.
    #[must_use]
    pub fn tag(mut self, protocol: u16, control: u16) -> Self {
        self.tags.push((protocol, control));
        self
    }

    /// With a tag beside the frame, as the kernel keeps it.
    #[must_use]
    pub fn tag_beside(self) -> Self {
        Self { tagged_beside: true, ..self }
    }

    /// With this type.
    #[must_use]
    pub fn kind(self, kind: u16) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// With its length in place of the type, and `llc` before the payload.
    #[must_use]
    pub fn length_typed(mut self, llc: &[u8]) -> Self {
        self.payload.splice(0..0, llc.iter().copied());
        Self { kind: None, ..self }
    }

    /// With `count` bytes behind the payload.
    #[must_use]
    pub fn pad(mut self, count: usize) -> Self {
        self.payload.extend(std::iter::repeat_n(0, count));
        self
    }

    /// The frame.
    pub fn build(self) -> Frame {
        let mut bytes = [self.destination.octets, self.source.octets].concat();
        for (protocol, control) in self.tags {
            bytes.extend(protocol.to_be_bytes());
            bytes.extend(control.to_be_bytes());
        }
        let length = u16::try_from(self.payload.len()).expect("a frame has a 16-bit length");
        bytes.extend(self.kind.unwrap_or(length).to_be_bytes());
        bytes.extend(self.payload);
        Frame { tagged_beside: self.tagged_beside, ..Frame::new(bytes) }
    }

    /// The first `length` bytes of the frame.
    pub fn cut(self, length: usize) -> Frame {
        let mut frame = self.build();
        frame.bytes.truncate(length);
        frame
    }
}

/// What can be put on the wire, with an honest Ethernet header where it has none of its own.
pub trait OnWire {
    /// The frame.
    fn frame(self, direction: Direction) -> Frame;
}

impl OnWire for Frame {
    fn frame(self, _: Direction) -> Frame {
        self
    }
}

impl OnWire for Ethernet {
    fn frame(self, _: Direction) -> Frame {
        self.build()
    }
}

impl OnWire for Ipv6 {
    fn frame(self, direction: Direction) -> Frame {
        self.ethernet(direction).build()
    }
}
