//! What the sender left for a later device to do to a frame: finish a checksum, cut it into segments.
//!
//! A guest says so in the virtio-net header in front of its frame, with offsets of its choice. The kernel keeps it beside
//! the packet and acts on it when the packet leaves the host, after every filter has looked.

/// The work left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Offload {
    /// Where in the frame two bytes will be overwritten with a checksum; [`Self::NOWHERE`] when none is due.
    pub checksum_at: usize,
    /// Whether the frame will be cut into segments.
    pub segmented: bool,
    /// Where in the frame the cutter takes the header of a tunnelled packet to be, whose lengths it writes;
    /// [`Self::NOWHERE`] when the segments are none of a tunnel.
    pub inner_at: usize,
}

impl Offload {
    /// Past every frame.
    pub const NOWHERE: usize = usize::MAX;
    /// Nothing is left to do.
    pub const NONE: Self = Self { checksum_at: Self::NOWHERE, segmented: false, inner_at: Self::NOWHERE };

    /// Whether a checksum is due.
    #[inline(always)]
    pub const fn has_checksum(&self) -> bool {
        self.checksum_at != Self::NOWHERE
    }
}
