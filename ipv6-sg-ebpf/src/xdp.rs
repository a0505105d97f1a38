//! A frame before it becomes a socket buffer.

use aya_ebpf::bindings::xdp_md;
use ipv6_sg_common::abi::DropEvent;
use ipv6_sg_common::packet::{Frame, Offload};

use crate::direct::{Window, forget};
use crate::report::Capture;

/// A frame as XDP sees it: linear, tags in place.
pub struct Xdp {
    context: *mut xdp_md,
    window: Window,
    length: usize,
}

impl Xdp {
    /// The frame of this program's context.
    #[inline(always)]
    pub fn new(context: *mut xdp_md) -> Self {
        // SAFETY: the kernel calls the program with a valid context.
        let (start, end) = unsafe { ((*context).data, (*context).data_end) };
        Self { context, window: Window::new(start, end), length: end as usize - start as usize }
    }

    /// The interface the frame arrived on.
    #[inline(always)]
    pub fn ifindex(&self) -> u32 {
        // SAFETY: a valid context, as in `new`.
        unsafe { (*self.context).ingress_ifindex }
    }
}

impl Frame for Xdp {
    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn tagged_beside(&self) -> bool {
        false
    }

    #[inline(always)]
    fn offload(&self) -> Offload {
        // Not known yet. What XDP passes, tc looks at.
        Offload::NONE
    }

    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        self.window.words(self.forget(offset))
    }

    #[inline(always)]
    fn head<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        self.window.head(offset)
    }

    #[inline(always)]
    fn forget(&self, value: usize) -> usize {
        forget(value, self.length)
    }
}

impl Capture for Xdp {
    #[inline(always)]
    fn capture(&self, event: &mut DropEvent) {
        for (i, chunk) in event.bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let Some([word]) = self.window.head::<1>(i * 8) else { return };
            *chunk = word.to_ne_bytes();
            event.captured += 8;
        }
    }
}
