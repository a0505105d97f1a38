//! How many drop events a port may emit.

/// A port's budget of drop events, all CPUs and both directions together. A token bucket in one word: a bucket of
/// [`Self::BURST`] tokens that gains one each [`Self::INTERVAL_NS`] is told by the time at which it will be full.
///
/// CPUs read and write the word without a lock. Two that take a token in the same instant take it for the price of one:
/// an event too many, never one too few for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct EventBudget {
    /// When all tokens are back if no more are taken, nanoseconds of the monotonic clock.
    pub full_at_ns: u64,
}

impl EventBudget {
    /// The most events in one burst.
    pub const BURST: u64 = 128;
    /// One more event is allowed every so many nanoseconds: 50 a second.
    pub const INTERVAL_NS: u64 = 20_000_000;

    /// What is left when one token is taken at the time `now_ns`; `None`, and nothing to write, when there is none.
    #[inline(always)]
    pub const fn take(self, now_ns: u64) -> Option<Self> {
        let full_at_ns = if self.full_at_ns > now_ns { self.full_at_ns } else { now_ns };
        if full_at_ns - now_ns > (Self::BURST - 1) * Self::INTERVAL_NS {
            return None;
        }
        Some(Self { full_at_ns: full_at_ns + Self::INTERVAL_NS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what there is at one moment.
    fn drain(budget: &mut EventBudget, now_ns: u64) -> u64 {
        let mut taken = 0;
        while let Some(left) = budget.take(now_ns) {
            *budget = left;
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_burst_then_a_trickle() {
        let mut budget = EventBudget::default();
        let start = 3_600_000_000_000;
        assert_eq!(drain(&mut budget, start), EventBudget::BURST);
        assert_eq!(drain(&mut budget, start + EventBudget::INTERVAL_NS - 1), 0);
        assert_eq!(drain(&mut budget, start + EventBudget::INTERVAL_NS), 1);
        // Parts of an interval are not lost.
        assert_eq!(drain(&mut budget, start + EventBudget::INTERVAL_NS * 5 / 2), 1);
        assert_eq!(drain(&mut budget, start + EventBudget::INTERVAL_NS * 3), 1);
        // A clock that seems to go back (another CPU's) neither adds nor removes tokens.
        assert_eq!(drain(&mut budget, 0), 0);
        assert_eq!(drain(&mut budget, start + EventBudget::INTERVAL_NS * 4), 1);
        // A long silence brings back a burst, and no more.
        assert_eq!(drain(&mut budget, 2 * start), EventBudget::BURST);
    }
}
