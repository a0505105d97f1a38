//! Tables without an entry, for tests of what needs none.

use super::Tables;
use crate::abi::FragmentKey;
use crate::address::Address;

/// Knows no source, no router and no fragment.
pub(super) struct Empty;

impl Tables for Empty {
    fn source(&self, _: &Address) -> bool {
        false
    }

    fn router(&self, _: &Address) -> bool {
        false
    }

    fn remember_fragment(&self, _: &FragmentKey, _: u32) {}

    fn first_fragment(&self, _: &FragmentKey) -> Option<u32> {
        None
    }
}
