//! Security-group rules as two longest-prefix tables: who the peer is to a ruleset, and what such a peer may.

use crate::address::Address;

/// How many peers all rulesets of a host can have together.
pub const MAX_PEERS: u32 = 1_048_576;

/// How many services all classes of peers of a host can have together.
pub const MAX_SERVICES: u32 = 262_144;

/// The rules that apply to a port in one direction: the number of a ruleset, or one of the two that need none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(transparent)]
pub struct RulesetId {
    /// The number.
    pub number: u32,
}

impl RulesetId {
    /// Allows nothing.
    pub const NOTHING: Self = Self { number: 0 };
    /// Allows everything but what a rule must name.
    pub const EVERYTHING: Self = Self { number: u32::MAX };
}

/// Key of the longest-prefix map of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct PeerKey {
    /// Bits that count: the ruleset's 32 and the prefix's length.
    pub prefix_length: u32,
    /// The ruleset, always matched whole.
    pub ruleset: RulesetId,
    /// The peer's address, or a prefix with zero host bits.
    pub address: Address,
}

const _: () = assert!(size_of::<PeerKey>() == 24);

impl PeerKey {
    /// The key of a prefix of `length` bits.
    pub const fn prefix(ruleset: RulesetId, address: Address, length: u8) -> Self {
        Self { prefix_length: 32 + length as u32, ruleset, address }
    }

    /// The key that asks for one address.
    #[inline(always)]
    pub const fn address(ruleset: RulesetId, address: Address) -> Self {
        Self::prefix(ruleset, address, 128)
    }
}

/// Key of the longest-prefix map of what a class of peers may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct ServiceKey {
    /// Bits that count: the class's 32, then the 16 of the protocol, then those of the number.
    pub prefix_length: u32,
    /// The class of the peer, always matched whole.
    pub class: u32,
    /// Zero; the protocol is the second of its 16 bits' octets.
    pub padding: u8,
    /// The upper-layer protocol.
    pub protocol: u8,
    /// Network byte order: destination port, or ICMPv6 type and code.
    pub number: [u8; 2],
}

const _: () = assert!(size_of::<ServiceKey>() == 12);

impl ServiceKey {
    /// The key of every protocol.
    pub const fn everything(class: u32) -> Self {
        Self { prefix_length: 32, class, padding: 0, protocol: 0, number: [0; 2] }
    }

    /// The key of the numbers that begin with the first `bits` of `number`.
    pub const fn prefix(class: u32, protocol: u8, number: u16, bits: u8) -> Self {
        Self { prefix_length: 48 + bits as u32, class, padding: 0, protocol, number: number.to_be_bytes() }
    }

    /// The key that asks for one number.
    #[inline(always)]
    pub const fn one(class: u32, protocol: u8, number: u16) -> Self {
        Self::prefix(class, protocol, number, 16)
    }
}

/// What an entry of the map of services means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Service {
    /// 1 when the rule names an ICMPv6 type: types without a row of their own pass only then.
    pub names_type: u32,
}

/// What all ports have in common: the one element of its map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Policy {
    /// Changes after each change of what is allowed: flows of another generation are put to the rules again.
    pub generation: u32,
}
