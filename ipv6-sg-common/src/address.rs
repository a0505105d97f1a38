//! IPv6 addresses as they lie in a packet and in map keys.
//!
//! Held as 16 octets in network order, aligned so that comparing two addresses is two 64-bit comparisons.

use core::fmt;
use core::net::Ipv6Addr;

/// An IPv6 address, network byte order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C, align(8))]
pub struct Address {
    /// The 16 octets, most significant first.
    pub octets: [u8; 16],
}

/// How far a multicast address reaches (RFC 4291 section 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MulticastScope {
    /// Scope 0: must not be used, silently dropped when received.
    Reserved,
    /// Scopes 1 and 2: this node, this link.
    Link,
    /// Everything a router may forward.
    Wider,
}

impl Address {
    /// `::`
    pub const UNSPECIFIED: Self = Self { octets: [0; 16] };
    /// `ff02::2`
    pub const ALL_ROUTERS: Self = Self::from_ip(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2));
    /// `ff02::1:2`, where DHCPv6 clients reach servers and relays (RFC 8415 section 7.1).
    pub const ALL_DHCP_AGENTS: Self = Self::from_ip(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2));

    /// The address with these octets.
    pub const fn from_ip(address: Ipv6Addr) -> Self {
        Self { octets: address.octets() }
    }

    /// The address whose memory image is these two words.
    #[inline(always)]
    pub const fn from_words(words: [u64; 2]) -> Self {
        // SAFETY: same size, no padding, every bit pattern is valid. Taking octets apart and putting them together is
        // what the compiler makes of anything safer, and BPF has no registers for it.
        Self { octets: unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(words) } }
    }

    /// The memory image as two words: first and second half, byte order untouched.
    #[inline(always)]
    pub const fn words(&self) -> [u64; 2] {
        // SAFETY: as in `from_words`.
        unsafe { core::mem::transmute::<[u8; 16], [u64; 2]>(self.octets) }
    }

    /// The same address, as the standard library has it.
    pub const fn to_ip(self) -> Ipv6Addr {
        Ipv6Addr::from_octets(self.octets)
    }

    /// Equality in two comparisons; the derived `==` becomes a loop over octets in BPF.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        let ([a, b], [c, d]) = (self.words(), other.words());
        (a ^ c) | (b ^ d) == 0
    }

    /// Whether both lie in one /64.
    #[inline(always)]
    pub fn same_64(&self, other: &Self) -> bool {
        let ([a, _], [b, _]) = (self.words(), other.words());
        a == b
    }

    /// The first two octets as a number.
    #[inline(always)]
    fn first_octets(&self) -> u64 {
        let [high, _] = self.words();
        u64::from_be(high) >> 48
    }

    /// `::`
    #[inline(always)]
    pub fn is_unspecified(&self) -> bool {
        self.is(&Self::UNSPECIFIED)
    }

    /// `::/64`
    #[inline(always)]
    pub fn starts_with_zeros(&self) -> bool {
        let [high, _] = self.words();
        high == 0
    }

    /// `::1`
    #[inline(always)]
    pub fn is_loopback(&self) -> bool {
        let [high, low] = self.words();
        high == 0 && low == 1u64.to_be()
    }

    /// `ff00::/8`
    #[inline(always)]
    pub fn is_multicast(&self) -> bool {
        self.first_octets() >> 8 == 0xff
    }

    /// `fe80::/10`
    #[inline(always)]
    pub fn is_link_local(&self) -> bool {
        self.first_octets() & 0xffc0 == 0xfe80
    }

    /// The scope of a multicast address; meaningless for others.
    #[inline(always)]
    pub fn multicast_scope(&self) -> MulticastScope {
        match self.first_octets() & 0x0f {
            0 => MulticastScope::Reserved,
            1 | 2 => MulticastScope::Link,
            _ => MulticastScope::Wider,
        }
    }

    /// The solicited-node group of this address (RFC 4291 section 2.7.1).
    #[inline(always)]
    pub const fn solicited_node(&self) -> Self {
        let [_, low] = self.words();
        let low = 0x0000_0001_ff00_0000 | (u64::from_be(low) & 0x00ff_ffff);
        Self::from_words([0xff02_u64.rotate_right(16).to_be(), low.to_be()])
    }
}

impl From<Ipv6Addr> for Address {
    fn from(address: Ipv6Addr) -> Self {
        Self::from_ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_ip(), f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::from_ip(text.parse().expect("a test address"))
    }

    #[test]
    fn words_keep_the_octets() {
        let a = address("2001:db8:1:2:3:4:5:6");
        assert_eq!(Address::from_words(a.words()), a);
        assert!(a.is(&a));
        for bit in 0..128u32 {
            let mut other = a;
            other.octets[(bit / 8) as usize] ^= 1 << (bit % 8);
            assert!(!a.is(&other), "bit {bit}");
            assert_eq!(a.same_64(&other), bit >= 64, "bit {bit}");
        }
    }

    #[test]
    fn kinds() {
        assert!(address("::").is_unspecified() && !address("::1").is_unspecified());
        assert!(address("::1").is_loopback() && !address("::2").is_loopback() && !address("1::1").is_loopback());
        assert!(address("fe80::1").is_link_local() && address("febf::1").is_link_local());
        assert!(!address("fec0::1").is_link_local() && !address("fe7f::1").is_link_local());
        assert!(address("ff00::").is_multicast() && !address("fe00::").is_multicast());
        assert_eq!(address("ff10::1").multicast_scope(), MulticastScope::Reserved);
        assert_eq!(address("ff01::1").multicast_scope(), MulticastScope::Link);
        assert_eq!(address("ff32::1").multicast_scope(), MulticastScope::Link);
        assert_eq!(address("ff05::1").multicast_scope(), MulticastScope::Wider);
        assert_eq!(address("2001:db8::12:3456").solicited_node(), address("ff02::1:ff12:3456"));
    }
}
