//! Connection tracking: what a port remembers of the flows that its rules allowed.

use super::Direction;
use crate::address::Address;

/// How many flows a port can have at once when the settings do not say. One that needs more forgets its own oldest.
pub const FLOWS_PER_PORT: u32 = 16_384;

/// What rules and flows look at in a packet beside its addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Selectors {
    /// What a rule names beside the protocol, host byte order: the destination port, or ICMPv6 type and code.
    pub number: u16,
    /// [`FlowKey::local_port`]
    pub local_port: u16,
    /// [`FlowKey::remote_port`]
    pub remote_port: u16,
    /// The upper-layer protocol.
    pub protocol: u8,
    /// A [`Subject`].
    pub subject: u8,
}

const _: () = assert!(size_of::<Selectors>() == 8);

/// Which packets the rules judge, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Subject {
    /// Never: it passes for other reasons.
    #[default]
    Exempt = 0,
    /// As a packet of a flow.
    Flow = 1,
    /// Each packet on its own: ICMPv6 that asks for nothing.
    Single = 2,
    /// Each on its own, and only a rule that names its type allows it.
    Named = 3,
}

/// What the packets of one flow have in common, both ways, seen from the VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct FlowKey {
    /// The VM's address.
    pub local: Address,
    /// The peer's address.
    pub remote: Address,
    /// The VM's port, host byte order. For ICMPv6 echo: who asks, as a [`Direction`] of the request. 0 for protocols
    /// without ports.
    pub local_port: u16,
    /// The peer's port, host byte order. For ICMPv6 echo the identifier.
    pub remote_port: u16,
    /// The upper-layer protocol; 32 bits wide so that the key has no padding to clear.
    pub protocol: u32,
}

const _: () = assert!(size_of::<FlowKey>() == 40);

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowState {
    /// One side has spoken.
    Opening,
    /// Both have.
    Established,
    /// TCP: both are done, or one has reset it.
    Closing,
}

impl FlowState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Opening, Self::Established, Self::Closing];

    /// The stable name: `flows`, `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Established => "established",
            Self::Closing => "closing",
        }
    }
}

/// A flow that the rules allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[repr(C)]
pub struct Flow {
    /// When a packet of it passed last, nanoseconds of [the packet path's clock](super::Clock); up to a second less.
    pub seen_ns: u64,
    /// The [`Policy::generation`](super::Policy) under which it was last put to the rules.
    pub generation: u32,
    /// A [`Direction`]: which way the packet went, or would have gone, that the rules allowed.
    pub opened: u8,
    /// Who has spoken: the bits [`SPOKEN`](Self::SPOKEN) and [`BEGUN`](Self::BEGUN), each shifted left by the number of the
    /// [`Direction`].
    pub spoken: u8,
    /// Who ended it, and how: the bits [`FINISHED`](Self::FINISHED) and [`RESET`](Self::RESET), shifted in the
    /// same way.
    pub ended: u8,
    /// 1 when the rules of that generation do not allow it.
    pub cut: u8,
}

const _: () = assert!(size_of::<Flow>() == 16);

impl Flow {
    /// Something was said.
    pub const SPOKEN: u8 = 1 << 0;
    /// SYN was said, without ACK.
    pub const BEGUN: u8 = 1 << 2;
    /// FIN was said.
    pub const FINISHED: u8 = 1 << 0;
    /// RST was said, and the same side has said nothing else since.
    pub const RESET: u8 = 1 << 2;

    /// Whether it was opened in this direction.
    #[inline(always)]
    pub const fn opened_by(&self, direction: Direction) -> bool {
        self.opened == direction as u8
    }

    /// The direction in which it was opened.
    #[inline(always)]
    pub const fn opener(&self) -> Direction {
        if self.opened_by(Direction::FromVm) { Direction::FromVm } else { Direction::ToVm }
    }

    /// Whether who sends in this direction has said anything.
    #[inline(always)]
    pub const fn has_spoken(&self, direction: Direction) -> bool {
        self.spoken & Self::SPOKEN << direction as u8 != 0
    }

    /// How far it has come.
    #[inline(always)]
    pub const fn state(&self) -> FlowState {
        const BOTH: u8 = Flow::SPOKEN | Flow::SPOKEN << 1;
        const BOTH_FINISHED: u8 = Flow::FINISHED | Flow::FINISHED << 1;
        const ANY_RESET: u8 = Flow::RESET | Flow::RESET << 1;
        if self.ended & BOTH_FINISHED == BOTH_FINISHED || self.ended & ANY_RESET != 0 {
            FlowState::Closing
        } else if self.spoken & BOTH == BOTH {
            FlowState::Established
        } else {
            FlowState::Opening
        }
    }
}
