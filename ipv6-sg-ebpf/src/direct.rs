//! Direct packet access as the verifier follows it.
//!
//! The compiler likes to compute a bound from one register and to load through another, which the verifier cannot
//! connect. So the one pointer both use is made in assembly, where it stays one register.

use core::arch::asm;

/// The largest offset read directly; must be of the form 2ⁿ-1. Header chains end long before.
pub const MAX_OFFSET: usize = 0x3fff;

/// `value`, which is at most `MASK`, such that the verifier of every kernel sees it. `MASK` is of the form 2ⁿ-1.
#[inline(always)]
pub fn at_most<const MASK: usize>(mut value: usize) -> usize {
    // SAFETY: arithmetic on one register. The compiler would remove a mask that changes nothing.
    unsafe { asm!("{v} &= {m}", v = inout(reg) value, m = const MASK, options(pure, nomem, nostack)) };
    value
}

/// Start and end of the linear part of a packet.
#[derive(Clone, Copy)]
pub struct Window {
    start: usize,
    end: usize,
}

/// See [`Frame::forget`](ipv6_sg_common::packet::Frame::forget). `unknown` is anything the verifier has no idea of.
#[inline(always)]
pub fn forget(mut value: usize, unknown: usize) -> usize {
    // SAFETY: arithmetic on two registers; exclusive-or twice is nothing.
    unsafe {
        asm!("{v} ^= {u}", "{v} ^= {u}", v = inout(reg) value, u = in(reg) unknown, options(pure, nomem, nostack))
    };
    value
}

impl Window {
    /// The window between the context's `data` and `data_end`.
    #[inline(always)]
    pub fn new(start: u32, end: u32) -> Self {
        Self { start: start as usize, end: end as usize }
    }

    /// `N` words at `offset`; `None` when they are not all in the window. `offset` is one the verifier knows nothing of
    /// (see [`forget`]): a comparison that it can foresee makes it remember how it came by the value.
    #[inline(always)]
    pub fn words<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        if offset > MAX_OFFSET {
            return None;
        }
        let mut pointer = self.start;
        // SAFETY: arithmetic on two registers. The mask changes nothing; it shows the verifier the bound.
        unsafe {
            asm!("{o} &= {m}", "{p} += {o}", p = inout(reg) pointer, o = inout(reg) offset => _, m = const MAX_OFFSET)
        };
        self.load(pointer)
    }

    /// [`Self::words`] for an offset that is known when the program is compiled.
    #[inline(always)]
    pub fn head<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        self.load(self.start + offset)
    }

    #[inline(always)]
    fn load<const N: usize>(&self, pointer: usize) -> Option<[u64; N]> {
        if pointer + N * 8 > self.end {
            return None;
        }
        Some(core::array::from_fn(|i| {
            let word;
            // SAFETY: the verifier refuses a load outside the packet; the comparison above is what convinces it.
            // Packets are not aligned, which the kernel's loads are allowed to ignore and Rust's are not.
            unsafe {
                let address = pointer + i * 8;
                asm!("{w} = *(u64 *)({p} + 0)", w = out(reg) word, p = in(reg) address, options(readonly, nostack))
            };
            word
        }))
    }
}
