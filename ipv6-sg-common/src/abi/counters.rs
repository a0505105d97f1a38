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

/// Everything counted for one port on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Packets from the VM.
    pub from_vm: PerReason<Count>,
    /// Packets to the VM.
    pub to_vm: PerReason<Count>,
    /// Drops that were counted, but not reported as an event.
    pub suppressed: u64,
}

const _: () = assert!(size_of::<PerReason<Count>>() == Reason::COUNT * size_of::<Count>());
const _: () = assert!(size_of::<Counters>() == 2 * size_of::<PerReason<Count>>() + size_of::<u64>());

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
        self.suppressed = self.suppressed.wrapping_add(other.suppressed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
