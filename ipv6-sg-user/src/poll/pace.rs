//! When to ask next. Many hosts ask one server: none at a fixed time, and less often the longer it does not answer.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// How often somebody is asked.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// From one question to the next, a tenth more or less.
    pub interval: Duration,
    /// The least time from one question to one that somebody is in a hurry for.
    pub least: Duration,
    /// The longest wait after errors, unless the interval itself is longer.
    pub longest: Duration,
}

/// The pace at which one host asks.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    /// How many errors there have been in a row.
    errors: u32,
}

impl Pace {
    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, errors: 0 }
    }

    /// How long to wait after this outcome. `luck` is from 0 to 1.
    pub(super) fn after(&mut self, well: bool, luck: f64) -> Duration {
        let Rate { interval, longest, .. } = self.rate;
        self.errors = if well { 0 } else { self.errors.saturating_add(1) };
        let Some(doublings) = self.errors.checked_sub(1) else {
            // A tenth more or less.
            return interval.mul_f64(0.9 + 0.2 * luck);
        };
        let wait = interval.saturating_mul(2_u32.saturating_pow(doublings)).min(longest.max(interval));
        // Hosts that lost it at once do not come back at once.
        wait.mul_f64(0.5 + 0.5 * luck)
    }
}

/// Luck that no two hosts share.
pub(super) fn luck() -> f64 {
    let random = RandomState::new().hash_one(0_u8);
    f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn every(seconds: u64) -> Pace {
        let (interval, longest) = (Duration::from_secs(seconds), Duration::from_secs(600));
        Pace::new(Rate { interval, least: Duration::ZERO, longest })
    }

    fn seconds(pace: &mut Pace, well: bool, luck: f64) -> f64 {
        pace.after(well, luck).as_secs_f64()
    }

    #[test]
    fn errors_slow_it_down_and_an_answer_makes_up_for_them() {
        let mut pace = every(60);
        assert_eq!((seconds(&mut pace, true, 0.0), seconds(&mut pace, true, 1.0)), (54.0, 66.0));
        let waits: Vec<_> = (0..40).map(|_| seconds(&mut pace, false, 1.0)).collect();
        assert_eq!(waits[..6], [60.0, 120.0, 240.0, 480.0, 600.0, 600.0]);
        assert!(waits[6..].iter().all(|wait| *wait == 600.0));
        assert_eq!(seconds(&mut pace, false, 0.0), 300.0);
        assert_eq!((seconds(&mut pace, true, 0.5), seconds(&mut pace, false, 1.0)), (60.0, 60.0));
        let mut slow = every(3600);
        assert_eq!((seconds(&mut slow, false, 1.0), seconds(&mut slow, false, 1.0)), (3600.0, 3600.0));
    }

    #[test]
    fn luck_is_a_share_and_differs() {
        let lucks: Vec<_> = (0..100).map(|_| luck()).collect();
        assert!(lucks.iter().all(|luck| (0.0..=1.0).contains(luck)));
        assert!(lucks.iter().any(|luck| *luck < 0.5) && lucks.iter().any(|luck| *luck > 0.5));
    }
}
