//! Blocks of addresses: where they begin and end, what is aligned, what is left over. Numbers alone; no database.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// An aligned block: a prefix, by its first address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block {
    /// The first address.
    pub(super) first: u128,
    /// The length of the prefix.
    pub(super) length: u8,
}

impl Block {
    /// The last address.
    pub(super) const fn last(self) -> u128 {
        self.first | host_bits(self.length)
    }

    /// The first address after it, if there is one.
    pub(super) const fn after(self) -> Option<u128> {
        self.last().checked_add(1)
    }

    /// Whether the two have an address in common.
    pub(super) const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last() && other.first <= self.last()
    }

    /// Whether all of the other is in it.
    pub(super) const fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last() <= self.last()
    }

    /// The block of this length that begins at `at`, or as soon after it as it is aligned.
    pub(super) const fn at_or_after(at: u128, length: u8) -> Option<Self> {
        let host_bits = host_bits(length);
        if at & host_bits == 0 {
            return Some(Self { first: at, length });
        }
        match (at | host_bits).checked_add(1) {
            Some(first) => Some(Self { first, length }),
            None => None,
        }
    }

    /// What is left of it when a block of this length is taken from its beginning: a block of each length in between.
    pub(super) fn rest_without_first(self, length: u8) -> impl Iterator<Item = Self> {
        (self.length..length).map(move |shorter| {
            let length = shorter + 1;
            // The second half of what begins with the block.
            Self { first: self.first | (host_bits(shorter) ^ host_bits(length)), length }
        })
    }

    /// As it is written.
    pub(super) fn net(self) -> Ipv6Net {
        let address = Ipv6Addr::from_bits(self.first);
        // No block has a longer prefix than there is.
        Ipv6Net::new(address, self.length).unwrap_or_else(|_| Ipv6Net::from(address))
    }
}

impl From<Ipv6Net> for Block {
    fn from(prefix: Ipv6Net) -> Self {
        Self { first: prefix.network().to_bits(), length: prefix.prefix_len() }
    }
}

/// The bits of an address that a prefix of this length leaves.
const fn host_bits(length: u8) -> u128 {
    match u128::MAX.checked_shr(length as u32) {
        Some(bits) => bits,
        None => 0,
    }
}

/// The fewest blocks that make up what is from `first` up to and without `end`.
pub(super) fn blocks(first: u128, end: u128) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut at = first;
    while at < end {
        // As large as its alignment lets it be, and as what is left.
        let (aligned, room) = (at.trailing_zeros(), (end - at).ilog2());
        let bits = aligned.min(room);
        let length = u8::try_from(u128::BITS - bits).unwrap_or(128);
        blocks.push(Block { first: at, length });
        let Some(next) = at.checked_add(1 << bits) else { break };
        at = next;
    }
    blocks
}

/// The first block of this length from `at` on that ends before `end` (the end of all addresses where there is none) and has
/// nothing of what is reserved, which is in order.
pub(super) fn fit(at: u128, end: Option<u128>, length: u8, reserved: &[Block]) -> Option<Block> {
    let mut at = at;
    loop {
        let block = Block::at_or_after(at, length)?;
        if end.is_some_and(|end| block.last() >= end) {
            return None;
        }
        match reserved.iter().find(|reserved| reserved.overlaps(block)) {
            None => return Some(block),
            Some(reserved) => at = reserved.after()?,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(text: &str) -> Block {
        text.parse::<Ipv6Net>().unwrap().into()
    }

    fn texts(blocks: impl IntoIterator<Item = Block>) -> Vec<String> {
        blocks.into_iter().map(|block| block.net().to_string()).collect()
    }

    #[test]
    fn ends() {
        let block = block("2001:db8::/60");
        assert_eq!(Ipv6Addr::from_bits(block.last()).to_string(), "2001:db8:0:f:ffff:ffff:ffff:ffff");
        assert_eq!(block.after().map(Ipv6Addr::from_bits).unwrap().to_string(), "2001:db8:0:10::");
        assert_eq!(Block::from("::/0".parse::<Ipv6Net>().unwrap()).after(), None);
        assert_eq!(Block { first: 1, length: 128 }.last(), 1);
    }

    #[test]
    fn what_is_left_of_a_block() {
        assert_eq!(
            texts(block("2001:db8::/56").rest_without_first(60)),
            ["2001:db8:0:80::/57", "2001:db8:0:40::/58", "2001:db8:0:20::/59", "2001:db8:0:10::/60"]
        );
        assert_eq!(texts(block("2001:db8::/60").rest_without_first(60)), [""; 0]);
    }

    #[test]
    fn gaps_are_blocks() {
        let at = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
        assert_eq!(texts(blocks(at("2001:db8::"), at("2001:db8:0:100::"))), ["2001:db8::/56"]);
        assert_eq!(
            texts(blocks(at("2001:db8:0:10::"), at("2001:db8:0:100::"))),
            ["2001:db8:0:10::/60", "2001:db8:0:20::/59", "2001:db8:0:40::/58", "2001:db8:0:80::/57"]
        );
        assert_eq!(texts(blocks(5, 5)), [""; 0]);
    }

    proptest! {
        #[test]
        fn blocks_cover_a_gap_and_no_more(first in any::<u64>(), size in 0_u64..10_000) {
            let (first, end) = (u128::from(first), u128::from(first) + u128::from(size));
            let mut at = first;
            for block in blocks(first, end) {
                prop_assert_eq!(block.first, at);
                prop_assert_eq!(block.first & host_bits(block.length), 0);
                at = block.after().unwrap();
            }
            prop_assert_eq!(at, end);
        }

        #[test]
        fn the_first_that_fits(at in 0_u128..200, end in 0_u128..300, bits in 0_u8..5, from in 0_u128..30) {
            let length = 128 - bits;
            let reserved = [Block::at_or_after(from * 8, 125).unwrap()];
            let naive = (at..).step_by(1).take_while(|first| first + (1 << bits) <= end).find(|first| {
                let block = Block { first: *first, length };
                first % (1 << bits) == 0 && !block.overlaps(reserved[0])
            });
            prop_assert_eq!(fit(at, Some(end), length, &reserved).map(|block| block.first), naive);
        }
    }
}
