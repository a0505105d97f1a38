//! What the maps hold: the only place where the kernel program and user space meet.
//!
//! Every type is `repr(C)` with its padding spelled out, and its size is asserted here. Whoever changes a size, a
//! field, a map's name or type, or the order of the reasons raises [`ABI_VERSION`]: the daemon then builds new maps
//! beside the old ones and switches each port over.

mod budget;
mod clock;
mod counters;
mod event;
mod flow;
mod fragment;
mod port;
mod rules;
mod skb_layout;
mod source;

pub use budget::EventBudget;
pub use clock::Clock;
pub use counters::{Count, Counters};
pub use event::{CAPTURE, DropEvent, Hook};
pub use flow::{FLOWS_PER_PORT, Flow, FlowKey, FlowState, Selectors, Subject};
pub use fragment::{FirstFragment, FragmentKey};
pub use port::{Port, PortFlags, SLAAC_SLOTS};
pub use rules::{MAX_PEERS, MAX_SERVICES, PeerKey, Policy, RulesetId, Service, ServiceKey};
pub use skb_layout::{SKB_WINDOW, SkbLayout};
pub use source::{RouterKey, SourceKey};

/// The version of everything in this module; part of the pin path.
pub const ABI_VERSION: u32 = 4;

/// How many ports one host can guard.
pub const MAX_PORTS: u32 = 8192;

/// How many slots the port map has: two for each port, so that a change is written beside what is being read.
pub const PORT_SLOTS: u32 = 2 * MAX_PORTS;

/// How many prefixes and extra addresses all ports of a host can have together.
pub const MAX_SOURCES: u32 = 262_144;

/// How many listed routers all ports of a host can have together.
pub const MAX_ROUTERS: u32 = 65_536;

/// How many fragmented packets a port can have under way at once, both directions together. Far above what an honest
/// guest has in flight. One that needs more forgets its own oldest; so does one to which others send that many.
pub const FRAGMENTS_PER_PORT: u32 = 512;

/// How long a first fragment is remembered, in nanoseconds: the receiver's own limit (RFC 8200 section 4.5).
pub const FRAGMENT_LIFETIME_NS: u64 = 60_000_000_000;

/// The ring buffer for drop events, in bytes; a power of two as the kernel asks.
pub const EVENT_BUFFER_BYTES: u32 = 1 << 20;

/// The names of the maps in the object, in `bpftool map` and in the pin directory (at most 15 bytes).
pub mod maps {
    /// ifindex → slot in [`PORTS`]
    pub const TAPS: &str = "ipv6_sg_taps";
    /// slot → [`Port`](super::Port)
    pub const PORTS: &str = "ipv6_sg_ports";
    /// [`SourceKey`](super::SourceKey), longest prefix → 1
    pub const SOURCES: &str = "ipv6_sg_sources";
    /// [`RouterKey`](super::RouterKey) → 1
    pub const ROUTERS: &str = "ipv6_sg_routers";
    /// memory → a map of [`FragmentKey`](super::FragmentKey) → [`FirstFragment`](super::FirstFragment)
    pub const FRAGMENTS: &str = "ipv6_sg_frags";
    /// memory → a map of [`FlowKey`](super::FlowKey) → [`Flow`](super::Flow)
    pub const FLOWS: &str = "ipv6_sg_flows";
    /// [`PeerKey`](super::PeerKey), longest prefix → class
    pub const PEERS: &str = "ipv6_sg_peers";
    /// [`ServiceKey`](super::ServiceKey), longest prefix → [`Service`](super::Service)
    pub const SERVICES: &str = "ipv6_sg_allowed";
    /// one [`Policy`](super::Policy)
    pub const POLICY: &str = "ipv6_sg_policy";
    /// memory → a map of one [`Counters`](super::Counters), per CPU
    pub const COUNTERS: &str = "ipv6_sg_counts";
    /// memory → [`EventBudget`](super::EventBudget)
    pub const BUDGETS: &str = "ipv6_sg_budgets";
    /// ring buffer of [`DropEvent`](super::DropEvent)
    pub const EVENTS: &str = "ipv6_sg_events";
    /// packets on an interface that has no port, per CPU, one entry
    pub const STRAYS: &str = "ipv6_sg_strays";
    /// All of them.
    pub const ALL: [&str; 13] =
        [TAPS, PORTS, SOURCES, ROUTERS, FRAGMENTS, FLOWS, PEERS, SERVICES, POLICY, COUNTERS, BUDGETS, EVENTS, STRAYS];
}

/// The names of the programs in the object and in `bpftool prog` (at most 15 bytes).
pub mod programs {
    /// tc, packets from the VM (the tap's ingress)
    pub const FROM_VM: &str = "ipv6_sg_from_vm";
    /// tc, packets to the VM (the tap's egress)
    pub const TO_VM: &str = "ipv6_sg_to_vm";
    /// XDP, packets from the VM, stateless checks only
    pub const SHIELD: &str = "ipv6_sg_shield";
    /// All of them.
    pub const ALL: [&str; 3] = [FROM_VM, TO_VM, SHIELD];
}

/// Which way a packet crosses the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// The tap's ingress.
    FromVm = 0,
    /// The tap's egress.
    ToVm = 1,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::FromVm, Self::ToVm];

    /// The other one.
    #[inline(always)]
    pub const fn other(self) -> Self {
        match self {
            Self::FromVm => Self::ToVm,
            Self::ToVm => Self::FromVm,
        }
    }

    /// The stable name: counters, events, `--json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FromVm => "from_vm",
            Self::ToVm => "to_vm",
        }
    }

    /// The direction of this number; `None` for numbers of another ABI.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::FromVm),
            1 => Some(Self::ToVm),
            _ => None,
        }
    }
}
