//! The verdict's tables on the host: what `explain` and tests judge with, answering as the kernel program's maps do.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use ipv6_sg_common::abi::{FRAGMENT_LIFETIME_NS, FragmentKey};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::verdict::Tables;

use super::PortImage;

/// The tables of one port. First fragments are remembered from one packet to the next; unlike the kernel's, this memory
/// has no limit, for nobody floods it.
#[derive(Debug, Default)]
pub struct HostTables {
    sources: BTreeSet<(Address, u8)>,
    lengths: BTreeSet<u8>,
    routers: BTreeSet<Address>,
    now: Cell<Duration>,
    fragments: RefCell<HashMap<FragmentKey, FirstFragment>>,
}

#[derive(Clone, Copy, Debug)]
struct FirstFragment {
    seen: Duration,
    end: u32,
}

impl HostTables {
    /// The tables of a compiled port.
    pub fn of(port: &PortImage) -> Self {
        Self::new(port.sources.iter().copied(), port.routers.iter().copied())
    }

    /// The tables with these entries of the source map (address and prefix length) and of the router map.
    pub fn new(sources: impl IntoIterator<Item = (Address, u8)>, routers: impl IntoIterator<Item = Address>) -> Self {
        let sources: BTreeSet<_> =
            sources.into_iter().map(|(address, length)| (first(address, length), length)).collect();
        let lengths = sources.iter().map(|(_, length)| *length).collect();
        Self { sources, lengths, routers: routers.into_iter().collect(), ..Self::default() }
    }

    /// Sets the clock that first fragments age by.
    pub fn set_time(&self, now: Duration) {
        self.now.set(now);
    }

    fn live(&self, key: &FragmentKey) -> Option<u32> {
        let first = *self.fragments.borrow().get(key)?;
        let age = self.now.get().saturating_sub(first.seen);
        if age < Duration::from_nanos(FRAGMENT_LIFETIME_NS) { Some(first.end) } else { None }
    }
}

/// The first address of the prefix of this length around `address`.
fn first(address: Address, length: u8) -> Address {
    let bits = address.to_ip().to_bits();
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(u32::from(length))).unwrap_or(0);
    Address::from_ip((bits & mask).into())
}

impl Tables for HostTables {
    fn source(&self, address: &Address) -> bool {
        self.lengths.iter().any(|length| self.sources.contains(&(first(*address, *length), *length)))
    }

    fn router(&self, address: &Address) -> bool {
        self.routers.contains(address)
    }

    fn remember_fragment(&self, key: &FragmentKey, end: u32) {
        // A first fragment seen again may not make the protected part shorter (RFC 5722).
        let end = self.live(key).map_or(end, |before| before.max(end));
        self.fragments.borrow_mut().insert(*key, FirstFragment { seen: self.now.get(), end });
    }

    fn first_fragment(&self, key: &FragmentKey) -> Option<u32> {
        self.live(key)
    }
}

#[cfg(test)]
mod tests {
    use ipv6_sg_common::abi::Direction;

    use super::*;

    fn address(text: &str) -> Address {
        Address::from_ip(text.parse().unwrap())
    }

    #[test]
    fn sources_of_any_length() {
        let tables = HostTables::new(
            [(address("2001:db8:f000::"), 36), (address("2001:db8:1::5"), 128), (address("2001:db8:2::"), 63)],
            [address("fe80::1")],
        );
        for inside in ["2001:db8:f000::", "2001:db8:ffff:ffff::1", "2001:db8:1::5", "2001:db8:2:1:ffff::"] {
            assert!(tables.source(&address(inside)), "{inside}");
        }
        for outside in ["2001:db8:efff:ffff::", "2001:db9::", "2001:db8:1::4", "2001:db8:2:2::", "::"] {
            assert!(!tables.source(&address(outside)), "{outside}");
        }
        assert!(tables.router(&address("fe80::1")) && !tables.router(&address("fe80::2")));
        assert!(!HostTables::default().source(&address("::")));
        assert!(HostTables::new([(address("::"), 0)], []).source(&address("ffff::")));
    }

    #[test]
    fn first_fragments_never_shrink_and_are_forgotten_in_time() {
        let tables = HostTables::default();
        let key = FragmentKey::new(address("::1"), address("::2"), 7, Direction::FromVm);
        let lifetime = Duration::from_nanos(FRAGMENT_LIFETIME_NS);
        assert_eq!(tables.first_fragment(&key), None);
        tables.remember_fragment(&key, 1448);
        tables.remember_fragment(&key, 8);
        assert_eq!(tables.first_fragment(&key), Some(1448));
        let other = FragmentKey::new(address("::1"), address("::2"), 7, Direction::ToVm);
        assert_eq!(tables.first_fragment(&other), None);
        tables.set_time(lifetime - Duration::from_nanos(1));
        assert_eq!(tables.first_fragment(&key), Some(1448));
        tables.set_time(lifetime);
        assert_eq!(tables.first_fragment(&key), None);
        tables.remember_fragment(&key, 8);
        assert_eq!(tables.first_fragment(&key), Some(8));
    }
}
