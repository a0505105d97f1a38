//! Address arithmetic on prefixes.

use ipv6_sg_common::address::Address;

/// A prefix: its first address, and its length in bits.
pub type Prefix = (Address, u8);

/// The first address of the prefix of this length around `address`.
pub fn first(address: Address, length: u8) -> Address {
    let bits = address.to_ip().to_bits();
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(length))).unwrap_or(0);
    Address::from_ip((bits & mask).into())
}

/// Whether every address of `inner` is one of `outer`.
pub(super) fn covers(outer: Prefix, inner: Prefix) -> bool {
    outer.1 <= inner.1 && first(inner.0, outer.1) == outer.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let prefix: ipnet::Ipv6Net = text.parse().unwrap();
        (Address::from_ip(prefix.addr()), prefix.prefix_len())
    }

    #[test]
    fn what_covers_what() {
        for (outer, inner) in [("::/0", "::/0"), ("::/0", "ffff::/128"), ("2001:db8::/63", "2001:db8:0:1::/64")] {
            assert!(covers(prefix(outer), prefix(inner)), "{outer} {inner}");
        }
        for (outer, inner) in [("::/1", "::/0"), ("::1/128", "::/127"), ("2001:db8::/63", "2001:db8:0:2::/64")] {
            assert!(!covers(prefix(outer), prefix(inner)), "{outer} {inner}");
        }
    }
}
