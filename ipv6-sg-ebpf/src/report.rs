//! Counting, and telling user space of drops.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use ipv6_sg_common::abi::{Count, Counters, Direction, DropEvent, Hook, Port};
use ipv6_sg_common::packet::Frame;
use ipv6_sg_common::verdict::Reason;

use crate::maps::{BUDGETS, COUNTERS, EVENTS, STRAYS};

/// A frame whose beginning can be copied into an event.
pub trait Capture: Frame {
    /// Copies as much as fits into `event.bytes` and says how many in `event.captured`.
    fn capture(&self, event: &mut DropEvent);
}

/// Counts a packet that passed.
#[inline(always)]
pub fn passed<F: Frame>(frame: &F, port: &Port, direction: Direction, reason: Reason) {
    if let Some(counters) = counters(port) {
        count(counters, direction, reason, frame.length());
    }
}

/// Counts a packet that was dropped, and reports it while the port's budget lasts.
#[inline(always)]
pub fn dropped<F: Capture>(frame: &F, port: &Port, direction: Direction, hook: Hook, reason: Reason) {
    let Some(counters) = counters(port) else { return };
    count(counters, direction, reason, frame.length());
    // SAFETY: a helper without preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    if !in_budget(port.memory, now) {
        counters.suppressed += 1;
        return;
    }
    let Some(mut record) = EVENTS.reserve_untyped::<DropEvent>(0) else {
        counters.suppressed += 1;
        return;
    };
    let event = record.as_mut_ptr();
    let words = event.cast::<u64>();
    for i in 0..size_of::<DropEvent>() / 8 {
        // SAFETY: the record has the size of an event, reserved by the line above and aligned to 8. Volatile, or the
        // compiler makes it a call that clears octet by octet.
        unsafe { words.add(i).write_volatile(0) };
    }
    // SAFETY: all of the record is initialised, and zero is a value of every field.
    let event = unsafe { &mut *event };
    event.at_ns = now;
    event.ifindex = port.ifindex;
    event.frame_length = frame.length() as u32;
    event.reason = reason as u8;
    event.direction = direction as u8;
    event.hook = hook as u8;
    event.tagged = u8::from(frame.tagged_beside());
    frame.capture(event);
    record.submit(0);
}

/// Counts a packet on an interface that carries the program but has no port.
#[inline(always)]
pub fn stray(bytes: usize) {
    if let Some(strays) = STRAYS.get_ptr_mut(0) {
        // SAFETY: a per-CPU value: nobody else writes it while this program runs.
        add(unsafe { &mut *strays }, bytes);
    }
}

/// `None` when the kernel had no room for the port's memory: its packets are judged all the same.
#[inline(always)]
fn counters(port: &Port) -> Option<&'static mut Counters> {
    // SAFETY: a per-CPU value: no other program writes it while this one runs. User space writes it only when no packet
    // can be on its way to it any more.
    COUNTERS.get(port.memory)?.get_ptr_mut(0).map(|counters| unsafe { &mut *counters })
}

/// Takes one event from the port's budget. While there is none nothing is written: a flood leaves the cache line alone,
/// which all CPUs share. A function of its own, or the registers it takes make the verifier follow the headers more often.
#[inline(never)]
fn in_budget(memory: u32, now: u64) -> bool {
    let Some(budget) = BUDGETS.get_ptr_mut(memory) else { return false };
    // SAFETY: an element of an array, for as long as this program runs. Other CPUs write it too, each time as one word.
    let before = unsafe { budget.read_volatile() };
    let Some(after) = before.take(now) else { return false };
    // SAFETY: as above.
    unsafe { budget.write_volatile(after) };
    true
}

#[inline(always)]
fn count(counters: &mut Counters, direction: Direction, reason: Reason, bytes: usize) {
    let first = core::ptr::from_mut(counters.direction_mut(direction)).cast::<Count>();
    // SAFETY: `PerReason` is `repr(C)` with one `Count` for each reason in the order of their numbers (a unit test of
    // the shared crate compares every field), so the element is inside it.
    add(unsafe { &mut *first.add(reason as usize) }, bytes);
}

#[inline(always)]
fn add(count: &mut Count, bytes: usize) {
    count.packets += 1;
    count.bytes += bytes as u64;
}
