//! A frame in a socket buffer.

use core::mem::MaybeUninit;

use aya_ebpf::Global;
use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::bpf_skb_load_bytes;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use ipv6_sg_common::abi::{CAPTURE, DropEvent, SKB_WINDOW, SkbLayout};
use ipv6_sg_common::packet::{Frame, Offload};

use crate::direct::{Window, at_most, forget};
use crate::report::Capture;

/// The running kernel's; user space writes it before the program is loaded. Its name is [`SkbLayout::NAME`].
#[unsafe(no_mangle)]
static SKB_LAYOUT: Global<SkbLayout> = Global::new(SkbLayout {
    window: 0,
    ip_summed: 0,
    ip_summed_shift: 0,
    csum_start: 0,
    csum_offset: 0,
    mac_header: 0,
    encapsulation: 0,
    encapsulation_shift: 0,
    inner_network_header: 0,
});

/// A frame as tc sees it; not necessarily linear.
pub struct Skb {
    context: *mut __sk_buff,
    window: Window,
}

impl Skb {
    /// The frame of this program's context.
    #[inline(always)]
    pub fn new(context: *mut __sk_buff) -> Self {
        // SAFETY: the kernel calls the program with a valid context.
        let (start, end) = unsafe { ((*context).data, (*context).data_end) };
        Self { context, window: Window::new(start, end) }
    }

    /// The interface the program is attached to.
    #[inline(always)]
    pub fn ifindex(&self) -> u32 {
        // SAFETY: a valid context, as in `new`.
        unsafe { (*self.context).ifindex }
    }
}

impl Frame for Skb {
    #[inline(always)]
    fn length(&self) -> usize {
        // SAFETY: a valid context, as in `new`.
        unsafe { (*self.context).len as usize }
    }

    #[inline(always)]
    fn tagged_beside(&self) -> bool {
        // SAFETY: a valid context, as in `new`.
        unsafe { (*self.context).vlan_present != 0 }
    }

    /// No context field tells but for `gso_size`; the structure behind the context does.
    #[inline(always)]
    fn offload(&self) -> Offload {
        const WORDS: usize = SKB_WINDOW / 2;
        // SAFETY: a valid context, as in `new`.
        let segmented = unsafe { (*self.context).gso_size != 0 };
        let layout = SKB_LAYOUT.load();
        let mut window = MaybeUninit::<[u16; WORDS]>::uninit();
        // SAFETY: the helper reads from any address, or fails; `window` has the size it writes.
        let status = unsafe {
            let from = self.context.byte_add(layout.window as usize);
            bpf_probe_read_kernel(window.as_mut_ptr().cast(), SKB_WINDOW as u32, from.cast())
        };
        if status != 0 {
            // What cannot be seen is taken for the worst.
            return Offload { checksum_at: 0, segmented, inner_at: 0 };
        }
        // SAFETY: on success the helper has written all of it.
        let window = unsafe { window.assume_init() };
        #[expect(clippy::indexing_slicing, reason = "the mask keeps it inside")]
        let word = |index: u32| window[index as usize & (WORDS - 1)];
        let place = |from_head: i64| {
            let at = from_head - i64::from(word(layout.mac_header));
            if at < 0 { 0 } else { at as usize }
        };
        let due = word(layout.ip_summed) >> (layout.ip_summed_shift & 0xf) & 3 == SkbLayout::CHECKSUM_DUE;
        let checksum_at = match due {
            true => place(i64::from(word(layout.csum_start)) + i64::from(word(layout.csum_offset))),
            false => Offload::NOWHERE,
        };
        let tunnelled = word(layout.encapsulation) >> (layout.encapsulation_shift & 0xf) & 1 == 1;
        let inner_at = match segmented && tunnelled {
            true => place(i64::from(word(layout.inner_network_header))),
            false => Offload::NOWHERE,
        };
        Offload { checksum_at, segmented, inner_at }
    }

    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        let offset = self.forget(offset);
        if offset + N * 8 > self.length() {
            return None;
        }
        Some(core::array::from_fn(|i| load(self.context, offset + i * 8)))
    }

    #[inline(always)]
    fn head<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        self.window.head(offset).or_else(|| self.words(offset))
    }

    #[inline(always)]
    fn forget(&self, value: usize) -> usize {
        forget(value, self.length())
    }
}

/// The word at `offset`, wherever in the socket buffer it lies. A function of its own that answers in a register: to the
/// verifier every way of reading then ends in the same state, and it follows what comes after only once.
///
/// The caller has compared `offset` with the frame's length, and past that nothing makes the helper fail.
#[inline(never)]
fn load(context: *mut __sk_buff, offset: usize) -> u64 {
    let frame = Skb::new(context);
    if let Some([word]) = frame.window.words(offset) {
        return word;
    }
    let mut word = MaybeUninit::<u64>::uninit();
    // SAFETY: `word` is 8 writable bytes on the stack.
    let status = unsafe { bpf_skb_load_bytes(context.cast(), offset as u32, word.as_mut_ptr().cast(), 8) };
    // SAFETY: on success the helper has written all of it.
    if status == 0 { unsafe { word.assume_init() } } else { 0 }
}

impl Capture for Skb {
    #[inline(always)]
    fn capture(&self, event: &mut DropEvent) {
        let length = self.length();
        if length == 0 {
            return;
        }
        let last = if length < CAPTURE { length - 1 } else { CAPTURE - 1 };
        // Between 1 and `CAPTURE`, which kernel 5.10 does not conclude from comparisons.
        let wanted = at_most::<{ CAPTURE - 1 }>(last) + 1;
        // SAFETY: `event.bytes` is writable and holds `CAPTURE` bytes.
        let status =
            unsafe { bpf_skb_load_bytes(self.context.cast(), 0, event.bytes.as_mut_ptr().cast(), wanted as u32) };
        if status == 0 {
            event.captured = wanted as u16;
        }
    }
}
