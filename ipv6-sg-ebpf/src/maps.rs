//! The maps. Names, keys, values and sizes are `ipv6_sg_common::abi`'s.

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::btf_maps::{HashMap, HashOfMaps, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf};
use aya_ebpf::macros::btf_map;
use ipv6_sg_common::abi::{
    Count, Counters, EVENT_BUFFER_BYTES, FRAGMENTS_PER_PORT, FirstFragment, FragmentKey, MAX_PORTS, MAX_ROUTERS,
    MAX_SOURCES, Port, RouterKey,
};
use ipv6_sg_common::address::Address;

/// Entries come and go with taps, so memory should too.
const ON_DEMAND: usize = BPF_F_NO_PREALLOC as usize;

/// One port's memory of first fragments.
pub type Fragments = LruHashMap<FragmentKey, FirstFragment, { FRAGMENTS_PER_PORT as usize }>;

/// The data of a longest-prefix key: interface and address.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PortAddress {
    ifindex: u32,
    octets: [u8; 16],
}

#[btf_map(name = "ipv6_sg_ports")]
static PORTS: HashMap<u32, Port, { MAX_PORTS as usize }, ON_DEMAND> = HashMap::new();

#[btf_map(name = "ipv6_sg_sources")]
pub static SOURCES: LpmTrie<PortAddress, u32, { MAX_SOURCES as usize }> = LpmTrie::new();

#[btf_map(name = "ipv6_sg_routers")]
pub static ROUTERS: HashMap<RouterKey, u32, { MAX_ROUTERS as usize }, ON_DEMAND> = HashMap::new();

#[btf_map(name = "ipv6_sg_frags")]
pub static FRAGMENTS: HashOfMaps<u32, Fragments, { MAX_PORTS as usize }, ON_DEMAND> = HashOfMaps::new();

#[btf_map(name = "ipv6_sg_counts")]
pub static COUNTERS: PerCpuHashMap<u32, Counters, { MAX_PORTS as usize }, ON_DEMAND> = PerCpuHashMap::new();

#[btf_map(name = "ipv6_sg_events")]
/// Records are `DropEvent`s; a type here would give the map a value size, which libbpf refuses.
pub static EVENTS: RingBuf<(), { EVENT_BUFFER_BYTES as usize }> = RingBuf::new();

#[btf_map(name = "ipv6_sg_strays")]
pub static STRAYS: PerCpuArray<Count, 1> = PerCpuArray::new();

/// The port behind an interface.
#[inline(always)]
pub fn port(ifindex: u32) -> Option<&'static Port> {
    // SAFETY: the memory stays an element of this map while this program runs, so the reference is never dangling. Not
    // excluded from kernel 6.1 on: a replaced element is used again at once, and then a reader on another CPU sees
    // another port for the rest of its packet. Open, see docs/policy.md.
    unsafe { PORTS.get(ifindex) }
}

/// Whether the source map has a prefix of this port that covers `address`.
#[inline(always)]
pub fn source(ifindex: u32, address: &Address) -> bool {
    let key = ipv6_sg_common::abi::SourceKey::address(ifindex, *address);
    // SAFETY: both are 24 bytes: prefix length, interface, 16 octets; `Key` is packed, so any alignment serves.
    let key = unsafe { &*core::ptr::from_ref(&key).cast::<Key<PortAddress>>() };
    SOURCES.get(key).is_some()
}
