//! The life of a flow: what a packet makes of it, and when it is over.

use crate::abi::{Direction, Flow, FlowState, Selectors};
use crate::packet::protocol;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// What a packet says of the connection it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Nothing: it goes on. All that there is but TCP.
    Continues,
    /// SYN without ACK or RST: a connection is to begin.
    Begins,
    /// SYN with ACK: one that the other side began.
    Answers,
    /// FIN: a side is done.
    Finishes,
    /// RST: it is over, if the connection's own sequence numbers say so too, which are not known here.
    Resets,
}

impl Signal {
    /// Of these TCP flags.
    #[inline(always)]
    pub(super) const fn of(flags: u8) -> Self {
        const FIN: u8 = 1 << 0;
        const SYN: u8 = 1 << 1;
        const RST: u8 = 1 << 2;
        const ACK: u8 = 1 << 4;
        // Not every receiver throws away what begins and ends at once.
        if flags & (SYN | ACK | RST) == SYN {
            Self::Begins
        } else if flags & (SYN | ACK | RST) == SYN | ACK {
            Self::Answers
        } else if flags & RST != 0 {
            Self::Resets
        } else if flags & FIN != 0 {
            Self::Finishes
        } else {
            Self::Continues
        }
    }
}

/// How long a flow outlives its last packet, in nanoseconds.
///
/// | | | |
/// |---|---|---|
/// | TCP, both have spoken | 5 days | what ip6tables gives it, whom this takes over from; RFC 5382 REQ-5 asks for at least 2 h 4 min |
/// | TCP, one has spoken, both are done, or one has reset it | 4 min | RFC 5382 REQ-5, transitory |
/// | UDP, both have spoken | 5 min | RFC 4787 REQ-5, recommended |
/// | UDP, one has | 2 min | RFC 4787 REQ-5, the least |
/// | ICMPv6 echo | 1 min | RFC 5508 REQ-2, the least |
/// | anything else | 10 min | what ip6tables gives it |
#[inline(always)]
pub const fn lifetime_ns(protocol: u8, state: FlowState) -> u64 {
    let seconds = match (protocol, state) {
        (protocol::TCP, FlowState::Established) => 5 * 24 * 3600,
        (protocol::TCP, FlowState::Opening | FlowState::Closing) => 240,
        (protocol::UDP, FlowState::Established) => 300,
        (protocol::UDP, FlowState::Opening | FlowState::Closing) => 120,
        (protocol::ICMPV6, _) => 60,
        _ => 600,
    };
    seconds * SECOND
}

/// How old [`Flow::seen_ns`] may get before it is written again: not each packet costs a write to what all CPUs share.
const STALE_NS: u64 = SECOND;

impl Flow {
    /// The flow of which this is the first packet, and that is taken to have been opened in the direction `opened`.
    #[inline(always)]
    pub(super) const fn first(
        direction: Direction,
        signal: Signal,
        opened: Direction,
        generation: u32,
        now_ns: u64,
    ) -> Self {
        Self { seen_ns: now_ns, generation, opened: opened as u8, spoken: 0, ended: 0, cut: 0 }.with(direction, signal)
    }

    /// Whether the flow still is one.
    #[inline(always)]
    pub const fn is_live(&self, protocol: u8, now_ns: u64) -> bool {
        // Another CPU may have written a time later than ours.
        now_ns < self.seen_ns || now_ns - self.seen_ns < lifetime_ns(protocol, self.state())
    }

    /// With what a side says.
    ///
    /// Anybody can forge an end (RFC 5961), in the peer's name. So FIN has to come from both, and a RST of the peer holds until
    /// one of the two goes on: who took it has nothing to send but RSTs (RFC 9293 section 3.5.2).
    #[inline(always)]
    const fn with(mut self, direction: Direction, signal: Signal) -> Self {
        let side = direction as u8;
        self.spoken |= Self::SPOKEN << side;
        if let Signal::Resets = signal {
            self.ended |= Self::RESET << side;
            return self;
        }
        self.ended &= match direction {
            Direction::FromVm => !(Self::RESET | Self::RESET << 1),
            Direction::ToVm => !(Self::RESET << side),
        };
        match signal {
            Signal::Begins => self.spoken |= Self::BEGUN << side,
            Signal::Finishes => self.ended |= Self::FINISHED << side,
            Signal::Answers | Signal::Continues | Signal::Resets => {}
        }
        self
    }

    /// The flow after a packet; `None` when the packet is no part of it but is to begin another one between the same ends.
    ///
    /// Of those who did not open the connection only the peer may begin one as a part of it, and only at the moment in which the
    /// VM does (RFC 9293 section 3.5): else a server could connect to any port that its client once used, and a VM to
    /// whomever a SYN is forged for.
    #[inline(always)]
    pub(super) const fn after(mut self, direction: Direction, signal: Signal, now_ns: u64) -> Option<Self> {
        const VM_BEGAN: u8 = (Flow::SPOKEN | Flow::BEGUN) << Direction::FromVm as u8;
        if let Signal::Begins = signal {
            match direction {
                _ if self.opened_by(direction) => {
                    if let FlowState::Closing = self.state() {
                        self.spoken = 0;
                    }
                    self.ended = 0;
                }
                Direction::ToVm if self.spoken == VM_BEGAN && self.ended == 0 => {}
                _ => return None,
            }
        }
        if now_ns > self.seen_ns && now_ns - self.seen_ns > STALE_NS {
            self.seen_ns = now_ns;
        }
        Some(self.with(direction, signal))
    }

    /// Whether a SYN in this direction, of who did not open the connection, may make it the sender's: not while it lives. That
    /// the peer has reset it proves nothing: who could say so could take any connection over with the next SYN.
    #[inline(always)]
    pub(super) const fn yields_to(mut self, direction: Direction) -> bool {
        if let Direction::ToVm = direction {
            self.ended &= !(Self::RESET << Direction::ToVm as u8);
        }
        !matches!(self.state(), FlowState::Established)
    }
}

impl Selectors {
    /// Whether such a packet can open a flow. An answer to an echo request cannot: what it answers would be the flow.
    #[inline(always)]
    pub(super) const fn open(self) -> bool {
        const ECHO_REPLY: u16 = 129 << 8;
        self.protocol != protocol::ICMPV6 || self.number != ECHO_REPLY
    }

    /// What a rule must name to allow the packet that opened the flow in the direction `opened`.
    #[inline(always)]
    pub(super) const fn opening_number(self, opened: Direction) -> u16 {
        const ECHO_REQUEST: u16 = 128 << 8;
        match (self.protocol, opened) {
            (protocol::ICMPV6, _) => ECHO_REQUEST,
            (_, Direction::FromVm) => self.remote_port,
            (_, Direction::ToVm) => self.local_port,
        }
    }
}
