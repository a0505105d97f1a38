//! Tables without an entry, for tests of what needs none.

use super::Tables;
use crate::abi::{FirstFragment, Flow, FlowKey, FragmentKey, PeerKey, Service, ServiceKey};
use crate::address::Address;

/// Knows nothing, and remembers nothing.
pub(super) struct Empty;

impl Tables for Empty {
    fn source(&self, _: &Address) -> bool {
        false
    }

    fn router(&self, _: &Address) -> bool {
        false
    }

    fn remember_fragment(&self, _: &FragmentKey, _: &FirstFragment) {}

    fn first_fragment(&self, _: &FragmentKey) -> Option<FirstFragment> {
        None
    }

    fn now_ns(&self) -> u64 {
        0
    }

    fn generation(&self) -> u32 {
        0
    }

    fn flow(&self, _: &FlowKey) -> Option<Flow> {
        None
    }

    fn remember_flow(&self, _: &FlowKey, _: &Flow) {}

    fn class(&self, _: &PeerKey) -> Option<u32> {
        None
    }

    fn service(&self, _: &ServiceKey) -> Option<Service> {
        None
    }
}
