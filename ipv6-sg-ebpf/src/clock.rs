//! The time, as coarse as the kernel's tick: reading it is one load, where the exact time costs as much as a lookup.

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::bpf_jiffies64;
use ipv6_sg_common::abi::Clock;

/// The running kernel's; user space writes it before the program is loaded. Its name is [`Clock::NAME`].
#[unsafe(no_mangle)]
static CLOCK: Global<Clock> = Global::new(Clock { tick_ns: 0, first_tick: 0 });

/// Nanoseconds since the kernel started, suspension left out.
#[inline(always)]
pub fn now_ns() -> u64 {
    let Clock { tick_ns, first_tick } = CLOCK.load();
    // SAFETY: a helper without preconditions.
    let ticks = unsafe { bpf_jiffies64() };
    ticks.wrapping_sub(first_tick).wrapping_mul(tick_ns)
}
