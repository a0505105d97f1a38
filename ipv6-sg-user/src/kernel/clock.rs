//! The running kernel's tick, by which the packet path tells the time.

use ipv6_sg_common::abi::Clock;
use nix::time::{ClockId, clock_getres};

use super::{KernelError, Result};

/// The clock of this machine. The kernel names the length of its tick as the resolution of its coarse clock.
///
/// # Errors
/// The kernel names none.
pub fn of_running_kernel() -> Result<Clock> {
    let unknown = |reason: String| KernelError::Clock { reason };
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map_err(|error| unknown(error.to_string()))?;
    let tick_ns = u64::try_from(tick.tv_sec()).ok().zip(u64::try_from(tick.tv_nsec()).ok());
    let tick_ns = tick_ns.and_then(|(seconds, rest)| seconds.checked_mul(1_000_000_000)?.checked_add(rest));
    tick_ns.and_then(Clock::of_tick).ok_or_else(|| unknown(format!("a tick of {tick:?}")))
}
