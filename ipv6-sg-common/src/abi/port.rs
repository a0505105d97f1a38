//! A port: one VM NIC's host-side interface, as the packet path needs it.

use super::{Direction, RulesetId};
use crate::address::Address;
use crate::eui64;
use crate::mac::Mac;

/// How many SLAAC addresses a port holds inline; further ones go into the source map, at the price of a lookup.
pub const SLAAC_SLOTS: usize = 3;

/// What is special about a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(transparent)]
pub struct PortFlags {
    /// The flags, added up.
    pub bits: u16,
}

impl PortFlags {
    /// Drop everything, IPv4 included: the port's state has not arrived.
    pub const QUARANTINED: Self = Self { bits: 1 << 0 };
    /// Drop IPv4 and ARP.
    pub const IPV4_DROP: Self = Self { bits: 1 << 1 };
    /// Echo beyond the link is judged like other traffic, not always passed.
    pub const ECHO_RULES: Self = Self { bits: 1 << 2 };
    /// The source map has entries for this port; without it the lookup is saved.
    pub const HAS_SOURCES: Self = Self { bits: 1 << 3 };
    /// The router map lists this port's routers; without it any router is believed, and no Redirect.
    pub const HAS_ROUTERS: Self = Self { bits: 1 << 4 };
    /// Security-group rules apply, statefully; without it honest addresses are enough.
    pub const HAS_RULES: Self = Self { bits: 1 << 5 };

    /// Every flag and its name.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::QUARANTINED, "quarantined"),
        (Self::IPV4_DROP, "ipv4_drop"),
        (Self::ECHO_RULES, "echo_rules"),
        (Self::HAS_SOURCES, "has_sources"),
        (Self::HAS_ROUTERS, "has_routers"),
        (Self::HAS_RULES, "has_rules"),
    ];

    /// Whether `flag` is set.
    #[inline(always)]
    pub const fn has(self, flag: Self) -> bool {
        self.bits & flag.bits != 0
    }

    /// These flags and `flag`, if `condition` holds.
    #[must_use]
    pub const fn with(self, flag: Self, condition: bool) -> Self {
        if condition { Self { bits: self.bits | flag.bits } } else { self }
    }
}

/// A port, as it lies in its slot: never changed while a packet may read it. Its source set is [`Self::link_local`],
/// [`Self::slaac`] and, with [`PortFlags::HAS_SOURCES`], the port's entries in the source map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C, align(8))]
pub struct Port {
    /// The VM's MAC.
    pub mac: Mac,
    /// What is special about it.
    pub flags: PortFlags,
    /// Its interface; 0 in a slot that no port is in, and in a port that is in no slot yet.
    pub ifindex: u32,
    /// Where its memory is: its index in the maps of counters, fragments and budgets.
    pub memory: u32,
    /// What may reach the VM; without [`PortFlags::HAS_RULES`] it means nothing.
    pub ingress: RulesetId,
    /// What the VM may send; likewise.
    pub egress: RulesetId,
    /// `fe80::/64` with the MAC's EUI-64.
    pub link_local: Address,
    /// One address for each announced /64. Unused slots repeat the link-local address, so that a comparison with any
    /// slot is always a comparison with an address of the port.
    pub slaac: [Address; SLAAC_SLOTS],
}

const _: () = assert!(size_of::<Port>() == 24 + 16 * (1 + SLAAC_SLOTS) && align_of::<Port>() == 8);

impl Port {
    /// A port with the addresses that follow from its MAC alone.
    pub const fn new(mac: Mac, flags: PortFlags) -> Self {
        let link_local = eui64::link_local(mac);
        let (ingress, egress) = (RulesetId::NOTHING, RulesetId::EVERYTHING);
        Self { mac, flags, ifindex: 0, memory: 0, ingress, egress, link_local, slaac: [link_local; SLAAC_SLOTS] }
    }

    /// The same port, of this interface and with this memory.
    #[must_use]
    pub const fn placed(self, ifindex: u32, memory: u32) -> Self {
        Self { ifindex, memory, ..self }
    }

    /// The rules for what crosses the port this way.
    #[inline(always)]
    pub const fn ruleset(&self, direction: Direction) -> RulesetId {
        match direction {
            Direction::FromVm => self.egress,
            Direction::ToVm => self.ingress,
        }
    }

    /// [`Mac::number`] of the port's MAC, in one load.
    #[inline(always)]
    pub const fn mac_number(&self) -> u64 {
        // SAFETY: `repr(C, align(8))`: the first 8 bytes are `mac` and `flags`, initialised and aligned for a `u64`.
        u64::from_be(unsafe { core::ptr::from_ref(self).cast::<u64>().read() }) >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_in_one_load() {
        let mac = Mac { octets: [6, 0x7a, 0x88, 0, 0, 0x8b] };
        assert_eq!(Port::new(mac, PortFlags { bits: 0xffff }).mac_number(), mac.number());
    }
}
