//! The running kernel's tick, by which the packet path tells the time, and the time by it.

use ipv6_sg_common::abi::Clock;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_getres, clock_gettime};

use super::{KernelError, Result};

/// The clock of this machine. The kernel names the length of its tick as the resolution of its coarse clock.
///
/// # Errors
/// The kernel names none.
pub fn of_running_kernel() -> Result<Clock> {
    let unknown = |reason: String| KernelError::Clock { reason };
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map_err(|error| unknown(error.to_string()))?;
    nanoseconds(tick).and_then(Clock::of_tick).ok_or_else(|| unknown(format!("a tick of {tick:?}")))
}

/// The packet path's time, in nanoseconds, and a little more: the two count the same ticks, but the packet path has not
/// seen those that the kernel's start swallowed. A quarter of a second was measured, the same from then on.
///
/// # Errors
/// The kernel does not tell.
pub fn now_ns() -> Result<u64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE);
    let now = now.map_err(|error| KernelError::Clock { reason: error.to_string() })?;
    nanoseconds(now).ok_or_else(|| KernelError::Clock { reason: format!("it is {now:?}") })
}

fn nanoseconds(time: TimeSpec) -> Option<u64> {
    let (seconds, rest) = u64::try_from(time.tv_sec()).ok().zip(u64::try_from(time.tv_nsec()).ok())?;
    seconds.checked_mul(1_000_000_000)?.checked_add(rest)
}
