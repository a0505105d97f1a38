//! Sets of 16-bit numbers: ports, or ICMPv6 types with their codes. Knows nothing of protocols.

/// A set of 16-bit numbers, as ascending ranges with both ends included. Ranges that touch are one, so equal sets are
/// equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbers(Vec<(u16, u16)>);

impl Numbers {
    /// The ranges, ascending, none touching another.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// Whether the number is in the set.
    pub fn contains(&self, number: u16) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        self.0.get(..after).and_then(<[_]>::last).is_some_and(|(_, last)| number <= *last)
    }

    /// Whether every number is in the set.
    pub fn is_full(&self) -> bool {
        self.0 == [(0, u16::MAX)]
    }

    /// The fewest prefixes that make up the set, ascending, as number and length in bits (0 to 16).
    pub fn prefixes(&self) -> impl Iterator<Item = (u16, u8)> + '_ {
        self.0.iter().flat_map(|(first, last)| aligned(*first, *last))
    }
}

impl FromIterator<(u16, u16)> for Numbers {
    /// The union of ranges in any order, both ends included.
    fn from_iter<T: IntoIterator<Item = (u16, u16)>>(ranges: T) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_unstable();
        // `dedup_by` hands over the later one first, and drops it when told so.
        ranges.dedup_by(|(first, last), (_, before)| {
            let touches = *first <= before.saturating_add(1);
            if touches {
                *before = (*before).max(*last);
            }
            touches
        });
        Self(ranges)
    }
}

/// The blocks of a range whose sizes are powers of two and that begin at a multiple of their size, each as large as can
/// be.
fn aligned(first: u16, last: u16) -> impl Iterator<Item = (u16, u8)> {
    let end = u32::from(last) + 1;
    let mut next = u32::from(first);
    std::iter::from_fn(move || {
        let room = end.saturating_sub(next).checked_ilog2()?;
        let free_bits = next.trailing_zeros().min(room);
        let block = (u16::try_from(next).ok()?, u8::try_from(16_u32.checked_sub(free_bits)?).ok()?);
        next += 1 << free_bits;
        Some(block)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(ranges: &[(u16, u16)]) -> Numbers {
        ranges.iter().copied().collect()
    }

    #[test]
    fn what_touches_is_one() {
        assert_eq!(numbers(&[(22, 22), (23, 23), (20, 21)]).ranges(), [(20, 23)]);
        assert_eq!(numbers(&[(1, 9), (3, 4), (8, 12), (14, 14)]).ranges(), [(1, 12), (14, 14)]);
        assert_eq!(numbers(&[(1, u16::MAX), (0, 0)]), numbers(&[(0, u16::MAX)]));
        assert_eq!(numbers(&[(u16::MAX, u16::MAX), (u16::MAX, u16::MAX)]).ranges(), [(u16::MAX, u16::MAX)]);
        assert!(numbers(&[(0, 32767), (32768, u16::MAX)]).is_full());
        assert!(!numbers(&[(1, u16::MAX)]).is_full() && !numbers(&[]).is_full());
    }

    #[test]
    fn prefixes_of_ranges() {
        let prefixes = |ranges: &[(u16, u16)]| numbers(ranges).prefixes().collect::<Vec<_>>();
        assert_eq!(prefixes(&[]), []);
        assert_eq!(prefixes(&[(0, u16::MAX)]), [(0, 0)]);
        assert_eq!(prefixes(&[(0, 0)]), [(0, 16)]);
        assert_eq!(prefixes(&[(u16::MAX, u16::MAX)]), [(u16::MAX, 16)]);
        assert_eq!(prefixes(&[(5000, 5010)]), [(5000, 13), (5008, 15), (5010, 16)]);
        assert_eq!(prefixes(&[(128 << 8, 128 << 8 | 255)]), [(128 << 8, 8)]);
        // The worst range there is, one end short on both sides; and one end short on one side.
        assert_eq!(prefixes(&[(1, u16::MAX - 1)]).len(), 30);
        let all_but_zero: Vec<_> = (0..16).map(|bit| (1 << bit, 16 - bit)).collect();
        assert_eq!(prefixes(&[(1, u16::MAX)]), all_but_zero);
    }

    /// How many prefixes a set needs: one where it is full, else those of its halves.
    fn fewest(held: &[bool]) -> usize {
        match held {
            _ if held.iter().all(|held| !held) => 0,
            _ if held.iter().all(|held| *held) => 1,
            _ => held.chunks(held.len() / 2).map(fewest).sum(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_form_holds_the_same_numbers(
            ranges in prop::collection::vec((any::<u16>(), prop_oneof![0u16..4, any::<u16>()]), 0..12)
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(first, more)| (first, first.saturating_add(more))).collect();
            let set = numbers(&ranges);
            let mut held = vec![false; 65536];
            for (first, last) in &ranges {
                held[usize::from(*first)..=usize::from(*last)].fill(true);
            }
            let mut by_prefixes = vec![false; 65536];
            for (number, bits) in set.prefixes() {
                let size = 1_usize << (16 - bits);
                prop_assert_eq!(usize::from(number) % size, 0);
                by_prefixes[usize::from(number)..][..size].fill(true);
            }
            prop_assert!(by_prefixes == held);
            prop_assert!((0..=u16::MAX).all(|number| set.contains(number) == held[usize::from(number)]));
            prop_assert_eq!(set.prefixes().count(), fewest(&held));
            prop_assert_eq!(numbers(set.ranges()), set);
        }
    }
}
