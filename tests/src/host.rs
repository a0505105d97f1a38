//! What the verdict looks up, on the host: lists in memory.

use std::cell::RefCell;
use std::collections::HashMap;

use ipv6_sg_common::abi::{Direction, FragmentKey};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::packet::Bytes;
use ipv6_sg_common::verdict::{Reason, Tables, judge};

use crate::frame::Frame;
use crate::world::Setup;

/// A port on the host, with its memory of first fragments.
#[derive(Debug)]
pub struct Host {
    setup: Setup,
    fragments: RefCell<HashMap<FragmentKey, u32>>,
}

impl Host {
    /// The port, with nothing remembered.
    pub fn new(setup: Setup) -> Self {
        Self { setup, fragments: RefCell::default() }
    }

    /// The verdict on one frame.
    pub fn judge(&self, direction: Direction, frame: &Frame) -> Reason {
        let bytes = Bytes { bytes: &frame.bytes, tagged_beside: frame.tagged_beside };
        judge(direction, &self.setup.port, &bytes, self)
    }

    /// The first fragments that are remembered.
    pub fn fragments(&self) -> Vec<FragmentKey> {
        self.fragments.borrow().keys().copied().collect()
    }

    /// Forgets all first fragments.
    pub fn forget(&self) {
        self.fragments.borrow_mut().clear();
    }
}

impl Tables for Host {
    fn source(&self, address: &Address) -> bool {
        let bits = |address: &Address| u128::from_be_bytes(address.octets);
        self.setup.sources.iter().any(|(prefix, length)| {
            let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
            (bits(prefix) ^ bits(address)) & mask == 0
        })
    }

    fn router(&self, address: &Address) -> bool {
        self.setup.routers.contains(address)
    }

    fn remember_fragment(&self, key: &FragmentKey, end: u32) {
        let mut fragments = self.fragments.borrow_mut();
        let known = fragments.entry(*key).or_insert(end);
        // The protected part never becomes shorter (RFC 5722).
        *known = end.max(*known);
    }

    fn first_fragment(&self, key: &FragmentKey) -> Option<u32> {
        self.fragments.borrow().get(key).copied()
    }
}
