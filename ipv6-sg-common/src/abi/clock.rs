//! The packet path's clock: as coarse as the kernel's tick, and nearly free.

/// How the kernel's tick counter becomes time. Differs from kernel to kernel: user space puts it into the program before
/// it is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Clock {
    /// Nanoseconds in a tick.
    pub tick_ns: u64,
    /// Where the kernel's counter of ticks started (`INITIAL_JIFFIES`).
    pub first_tick: u64,
}

impl Clock {
    /// The name of the program's variable.
    pub const NAME: &str = "CLOCK";

    /// The clock of a kernel whose tick takes so long; `None` when that is no tick.
    ///
    /// The counter starts five minutes before it overflows 32 bits, so that whoever cannot live with that learns of it
    /// early.
    pub const fn of_tick(tick_ns: u64) -> Option<Self> {
        const BEFORE_NS: u64 = 300_000_000_000;
        match BEFORE_NS.checked_div(tick_ns) {
            Some(ticks) if ticks < 1 << 32 => Some(Self { tick_ns, first_tick: (1 << 32) - ticks }),
            _ => None,
        }
    }
}
