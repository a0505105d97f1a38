//! What crossed a port and what died there.

use super::Direction;
use crate::verdict::{PerReason, Reason};

/// Packets and the bytes in them (whole frames, Ethernet header included).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Count {
    /// Packets; a segmentation-offloaded packet counts once.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How many drop events this CPU may still emit for the port: a token bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct EventBudget {
    /// When tokens were last added, nanoseconds of the monotonic clock.
    pub refilled_ns: u64,
    /// Events that may be emitted now.
    pub tokens: u64,
    /// Drops that were counted but not reported as an event.
    pub suppressed: u64,
}

impl EventBudget {
    /// The most events in one burst.
    pub const BURST: u64 = 128;
    /// One more event is allowed every so many nanoseconds: 50 a second.
    pub const INTERVAL_NS: u64 = 20_000_000;

    /// Takes one token at the time `now_ns`; `false`, and one more suppressed, when there is none.
    #[inline(always)]
    pub fn take(&mut self, now_ns: u64) -> bool {
        let elapsed = now_ns.saturating_sub(self.refilled_ns);
        if elapsed >= Self::INTERVAL_NS {
            let tokens = self.tokens.saturating_add(elapsed / Self::INTERVAL_NS);
            self.tokens = if tokens > Self::BURST { Self::BURST } else { tokens };
            self.refilled_ns = now_ns;
        }
        if self.tokens == 0 {
            self.suppressed = self.suppressed.wrapping_add(1);
            return false;
        }
        self.tokens -= 1;
        true
    }
}

/// Everything counted for one port on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Packets from the VM.
    pub from_vm: PerReason<Count>,
    /// Packets to the VM.
    pub to_vm: PerReason<Count>,
    /// The limit on drop events.
    pub events: EventBudget,
}

const _: () = assert!(size_of::<PerReason<Count>>() == Reason::COUNT * size_of::<Count>());
const _: () = assert!(size_of::<Counters>() == 2 * size_of::<PerReason<Count>>() + size_of::<EventBudget>());

// SAFETY: `repr(C)`, `Copy`, `'static`, every field is made of `u64` only (the asserts above show there is no padding), and every
// bit pattern of a `u64` is valid.
#[cfg(feature = "user")]
unsafe impl bytemuck::Zeroable for Counters {}
// SAFETY: as above.
#[cfg(feature = "user")]
unsafe impl bytemuck::Pod for Counters {}

impl Counters {
    /// The counts of one direction.
    #[inline(always)]
    pub const fn direction(&self, direction: Direction) -> &PerReason<Count> {
        match direction {
            Direction::FromVm => &self.from_vm,
            Direction::ToVm => &self.to_vm,
        }
    }

    /// The counts of one direction, to change them.
    #[inline(always)]
    pub const fn direction_mut(&mut self, direction: Direction) -> &mut PerReason<Count> {
        match direction {
            Direction::FromVm => &mut self.from_vm,
            Direction::ToVm => &mut self.to_vm,
        }
    }

    /// Adds another CPU's counters.
    pub fn add(&mut self, other: &Self) {
        for direction in Direction::ALL {
            for reason in Reason::ALL {
                let (sum, more) = (self.direction_mut(direction).of_mut(reason), other.direction(direction).of(reason));
                sum.packets = sum.packets.wrapping_add(more.packets);
                sum.bytes = sum.bytes.wrapping_add(more.bytes);
            }
        }
        self.events.suppressed = self.events.suppressed.wrapping_add(other.events.suppressed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_trickle() {
        let mut budget = EventBudget::default();
        let start = 3_600_000_000_000;
        let burst = (0..1000).filter(|_| budget.take(start)).count();
        assert_eq!(burst as u64, EventBudget::BURST);
        assert_eq!(budget.suppressed, 1000 - EventBudget::BURST);
        assert!(!budget.take(start + EventBudget::INTERVAL_NS - 1));
        assert!(budget.take(start + EventBudget::INTERVAL_NS));
        assert!(!budget.take(start + EventBudget::INTERVAL_NS));
        // A clock that seems to go back (another CPU's) neither adds nor removes tokens.
        assert!(!budget.take(0));
    }

    #[test]
    fn fields_lie_in_the_order_of_the_reasons() {
        // The kernel program finds a reason's count by its number.
        let mut counts = PerReason::<Count>::default();
        let base = std::ptr::from_ref(&counts).addr();
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            let field = std::ptr::from_mut(counts.of_mut(reason)).addr();
            assert_eq!(field - base, number * size_of::<Count>(), "{reason}");
        }
    }
}
