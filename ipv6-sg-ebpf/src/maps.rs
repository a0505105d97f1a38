//! The maps. Names, keys, values and sizes are `ipv6_sg_common::abi`'s.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{Array, ArrayOfMaps, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf};
use aya_ebpf::macros::btf_map;
use ipv6_sg_common::abi::{
    Count, Counters, EVENT_BUFFER_BYTES, EventBudget, FLOWS_PER_PORT, FRAGMENTS_PER_PORT, FirstFragment, Flow, FlowKey,
    FragmentKey, MAX_PEERS, MAX_PORTS, MAX_ROUTERS, MAX_SERVICES, MAX_SOURCES, PORT_SLOTS, Policy, Port, RouterKey,
    Service,
};
use ipv6_sg_common::abi::{PeerKey, ServiceKey, SourceKey};
use ipv6_sg_common::address::Address;

/// Entries come and go with taps, so memory should too.
const ON_DEMAND: usize = BPF_F_NO_PREALLOC as usize;

/// One port's memory of first fragments.
pub type Fragments = LruHashMap<FragmentKey, FirstFragment, { FRAGMENTS_PER_PORT as usize }>;

/// One port's memory of flows. Its size is only the usual one: user space makes it as large as it is told.
pub type Flows = LruHashMap<FlowKey, Flow, { FLOWS_PER_PORT as usize }>;

/// The data of a longest-prefix key: interface and address.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PortAddress {
    ifindex: u32,
    octets: [u8; 16],
}

/// The data of a longest-prefix key: ruleset and address.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct RulesetAddress {
    ruleset: u32,
    octets: [u8; 16],
}

/// The data of a longest-prefix key: class, protocol and number.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ClassService {
    class: u32,
    padding: u8,
    protocol: u8,
    number: [u8; 2],
}

#[btf_map(name = "ipv6_sg_taps")]
static TAPS: HashMap<u32, u32, { MAX_PORTS as usize }, ON_DEMAND> = HashMap::new();

#[btf_map(name = "ipv6_sg_ports")]
static PORTS: Array<Port, { PORT_SLOTS as usize }> = Array::new();

#[btf_map(name = "ipv6_sg_sources")]
pub static SOURCES: LpmTrie<PortAddress, u32, { MAX_SOURCES as usize }> = LpmTrie::new();

#[btf_map(name = "ipv6_sg_routers")]
pub static ROUTERS: HashMap<RouterKey, u32, { MAX_ROUTERS as usize }, ON_DEMAND> = HashMap::new();

#[btf_map(name = "ipv6_sg_frags")]
pub static FRAGMENTS: ArrayOfMaps<Fragments, { MAX_PORTS as usize }> = ArrayOfMaps::new();

#[btf_map(name = "ipv6_sg_flows")]
pub static FLOWS: ArrayOfMaps<Flows, { MAX_PORTS as usize }> = ArrayOfMaps::new();

#[btf_map(name = "ipv6_sg_peers")]
static PEERS: LpmTrie<RulesetAddress, u32, { MAX_PEERS as usize }> = LpmTrie::new();

#[btf_map(name = "ipv6_sg_allowed")]
static SERVICES: LpmTrie<ClassService, Service, { MAX_SERVICES as usize }> = LpmTrie::new();

#[btf_map(name = "ipv6_sg_policy")]
static POLICY: Array<Policy, 1> = Array::new();

#[btf_map(name = "ipv6_sg_counts")]
pub static COUNTERS: ArrayOfMaps<PerCpuArray<Counters, 1>, { MAX_PORTS as usize }> = ArrayOfMaps::new();

#[btf_map(name = "ipv6_sg_budgets")]
pub static BUDGETS: Array<EventBudget, { MAX_PORTS as usize }> = Array::new();

#[btf_map(name = "ipv6_sg_events")]
/// Records are `DropEvent`s; a type here would give the map a value size, which libbpf refuses.
pub static EVENTS: RingBuf<(), { EVENT_BUFFER_BYTES as usize }> = RingBuf::new();

#[btf_map(name = "ipv6_sg_strays")]
pub static STRAYS: PerCpuArray<Count, 1> = PerCpuArray::new();

/// The port behind an interface.
///
/// Two steps, so that a change of a port is one write: it is made in a slot that nobody reads, which is pointed to then.
#[inline(always)]
pub fn port(ifindex: u32) -> Option<&'static Port> {
    // SAFETY: the number is copied at once. The kernel may give the element to another interface in between, from 6.1 on
    // at once; the comparison below notices.
    let slot = *unsafe { TAPS.get(ifindex) }?;
    // Elements of an array stay where they are, and user space writes a slot only while nothing points to it, and no
    // sooner than one RCU grace period after something did: not while this program runs.
    let port = PORTS.get(slot)?;
    if port.ifindex == ifindex { Some(port) } else { None }
}

/// Whether the source map has a prefix of this port that covers `address`.
#[inline(always)]
pub fn source(ifindex: u32, address: &Address) -> bool {
    let key = SourceKey::address(ifindex, *address);
    // SAFETY: both are 24 bytes: prefix length, interface, 16 octets; `Key` is packed, so any alignment serves.
    let key = unsafe { &*core::ptr::from_ref(&key).cast::<Key<PortAddress>>() };
    SOURCES.get(key).is_some()
}

/// The class of a peer.
#[inline(always)]
pub fn class(peer: &PeerKey) -> Option<u32> {
    // SAFETY: both are 24 bytes: prefix length, ruleset, 16 octets; `Key` is packed, so any alignment serves.
    let key = unsafe { &*core::ptr::from_ref(peer).cast::<Key<RulesetAddress>>() };
    PEERS.get(key).copied()
}

/// What a class of peers may of a service.
#[inline(always)]
pub fn service(service: &ServiceKey) -> Option<Service> {
    // SAFETY: both are 12 bytes: prefix length, class, zero, protocol, number; `Key` is packed, so any alignment serves.
    let key = unsafe { &*core::ptr::from_ref(service).cast::<Key<ClassService>>() };
    SERVICES.get(key).copied()
}

/// The generation of the rules.
#[inline(always)]
pub fn generation() -> u32 {
    let Some(policy) = POLICY.get_ptr(0) else { return 0 };
    // SAFETY: the one element of an array, for as long as this program runs. User space writes it at any time, as one word.
    unsafe { (&raw const (*policy).generation).read_volatile() }
}
