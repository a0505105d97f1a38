//! What the kernel tells user space of a dropped packet.

/// How many bytes of a dropped frame an event carries at most.
pub const CAPTURE: usize = 128;

/// Which program dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Hook {
    /// tc.
    Tc = 0,
    /// The XDP shield.
    Xdp = 1,
}

impl Hook {
    /// The stable name: events, `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Xdp => "xdp",
        }
    }

    /// The hook of this number; `None` for numbers of another ABI.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Tc),
            1 => Some(Self::Xdp),
            _ => None,
        }
    }
}

/// A drop. Ring-buffer record; rate-limited per port, so not every drop has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct DropEvent {
    /// Nanoseconds of the monotonic clock.
    pub at_ns: u64,
    /// The port's interface.
    pub ifindex: u32,
    /// Length of the whole frame in bytes.
    pub frame_length: u32,
    /// How many bytes of [`Self::bytes`] hold the frame's beginning.
    pub captured: u16,
    /// A [`Reason`](crate::verdict::Reason).
    pub reason: u8,
    /// A [`Direction`](super::Direction).
    pub direction: u8,
    /// A [`Hook`].
    pub hook: u8,
    /// 1 when a VLAN tag was held beside the frame.
    pub tagged: u8,
    /// Zero.
    pub padding: u16,
    /// The beginning of the frame, from the destination MAC on; zero past [`Self::captured`].
    pub bytes: [u8; CAPTURE],
}

const _: () = assert!(size_of::<DropEvent>() == 24 + CAPTURE);
