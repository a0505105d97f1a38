//! What the verdict looks up, answered from the maps.

use ipv6_sg_common::abi::{
    FRAGMENT_LIFETIME_NS, FirstFragment, Flow, FlowKey, FragmentKey, PeerKey, Port, RouterKey, Service, ServiceKey,
};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::verdict::Tables;

use crate::clock;
use crate::maps::{self, FLOWS, FRAGMENTS, ROUTERS};

/// tc: every table.
pub struct Remembering {
    /// The port.
    pub port: &'static Port,
}

/// XDP: what needs no memory of other packets. Fragments, flows and rules are left to tc.
pub struct Stateless {
    /// The port.
    pub port: &'static Port,
}

impl Tables for Remembering {
    #[inline(always)]
    fn source(&self, address: &Address) -> bool {
        maps::source(self.port.ifindex, address)
    }

    #[inline(always)]
    fn router(&self, address: &Address) -> bool {
        // SAFETY: only whether there is an entry is asked; the reference is not kept.
        unsafe { ROUTERS.get(RouterKey::new(self.port.ifindex, *address)) }.is_some()
    }

    #[inline(always)]
    fn remember_fragment(&self, key: &FragmentKey, first: &FirstFragment) {
        let Some(fragments) = FRAGMENTS.get(self.port.memory) else { return };
        // A full map evicts; any other failure forgets, and the later fragments are dropped: closed, not open.
        let _ = fragments.insert(key, first, 0);
    }

    #[inline(always)]
    fn first_fragment(&self, key: &FragmentKey) -> Option<FirstFragment> {
        live(FRAGMENTS.get(self.port.memory)?, key)
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        clock::now_ns()
    }

    #[inline(always)]
    fn generation(&self) -> u32 {
        maps::generation()
    }

    #[inline(always)]
    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        let flow = FLOWS.get(self.port.memory)?.get_ptr(key)?;
        // SAFETY: the kernel keeps the memory until this program ends, and any bits are a flow. In the nanoseconds since the
        // lookup the element may have become another flow's of this same port, which the packet is then judged by.
        Some(unsafe { flow.read_volatile() })
    }

    #[inline(always)]
    fn remember_flow(&self, key: &FlowKey, flow: &Flow) {
        // A full map evicts; any other failure forgets, and the rules are asked for each packet.
        if let Some(flows) = FLOWS.get(self.port.memory) {
            let _ = flows.insert(key, flow, 0);
        }
    }

    #[inline(always)]
    fn class(&self, peer: &PeerKey) -> Option<u32> {
        maps::class(peer)
    }

    #[inline(always)]
    fn service(&self, service: &ServiceKey) -> Option<Service> {
        maps::service(service)
    }
}

#[inline(always)]
fn live(fragments: &maps::Fragments, key: &FragmentKey) -> Option<FirstFragment> {
    // SAFETY: an element evicted and reused while it is read could yield another packet of this same port; it is copied at
    // once and not written here.
    let first = *unsafe { fragments.get(key) }?;
    if clock::now_ns().wrapping_sub(first.seen_ns) < FRAGMENT_LIFETIME_NS { Some(first) } else { None }
}

impl Tables for Stateless {
    const REMEMBERS: bool = false;

    #[inline(always)]
    fn source(&self, address: &Address) -> bool {
        maps::source(self.port.ifindex, address)
    }

    #[inline(always)]
    fn router(&self, _: &Address) -> bool {
        // Routers are asked for on the way to the VM only, where no shield stands.
        true
    }

    #[inline(always)]
    fn remember_fragment(&self, _: &FragmentKey, _: &FirstFragment) {}

    #[inline(always)]
    fn first_fragment(&self, _: &FragmentKey) -> Option<FirstFragment> {
        None
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        0
    }

    #[inline(always)]
    fn generation(&self) -> u32 {
        0
    }

    #[inline(always)]
    fn flow(&self, _: &FlowKey) -> Option<Flow> {
        None
    }

    #[inline(always)]
    fn remember_flow(&self, _: &FlowKey, _: &Flow) {}

    #[inline(always)]
    fn class(&self, _: &PeerKey) -> Option<u32> {
        None
    }

    #[inline(always)]
    fn service(&self, _: &ServiceKey) -> Option<Service> {
        None
    }
}
