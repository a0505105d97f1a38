//! What the verdict looks up, answered from the maps.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use ipv6_sg_common::abi::{FRAGMENT_LIFETIME_NS, FirstFragment, FragmentKey, Port, RouterKey};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::verdict::Tables;

use crate::maps::{self, FRAGMENTS, ROUTERS};

/// tc: every table.
pub struct Remembering {
    /// The port.
    pub port: &'static Port,
}

/// XDP: what needs no memory of other packets. Fragments are left to tc.
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
    fn remember_fragment(&self, key: &FragmentKey, end: u32) {
        let Some(fragments) = FRAGMENTS.get(self.port.memory) else { return };
        // A first fragment seen again may not make the protected part shorter (RFC 5722).
        let end = match live(fragments, key) {
            Some(before) if before > end => before,
            _ => end,
        };
        // SAFETY: a helper without preconditions.
        let seen_ns = unsafe { bpf_ktime_get_ns() };
        // A full map evicts; any other failure forgets, and the later fragments are dropped: closed, not open.
        let _ = fragments.insert(key, FirstFragment { seen_ns, end, padding: 0 }, 0);
    }

    #[inline(always)]
    fn first_fragment(&self, key: &FragmentKey) -> Option<u32> {
        live(FRAGMENTS.get(self.port.memory)?, key)
    }
}

#[inline(always)]
fn live(fragments: &maps::Fragments, key: &FragmentKey) -> Option<u32> {
    // SAFETY: an element evicted and reused while it is read could yield another packet's `end` of this same port;
    // both fields are read at once and not written here.
    let first = unsafe { fragments.get(key) }?;
    // SAFETY: a helper without preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    if now.wrapping_sub(first.seen_ns) < FRAGMENT_LIFETIME_NS { Some(first.end) } else { None }
}

impl Tables for Stateless {
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
    fn remember_fragment(&self, _: &FragmentKey, _: u32) {}

    #[inline(always)]
    fn first_fragment(&self, _: &FragmentKey) -> Option<u32> {
        Some(0)
    }
}
