//! Reading a hash map while packets change it: by whole buckets, so that each entry that stays is seen once.
//!
//! Going from key to key starts again whenever the key at hand is gone, without end on a map that is flooded.

use std::collections::BTreeMap;
use std::io;

use aya::maps::MapData;

use super::bpf;

/// How many entries are asked for at a time: far more than a bucket comes to have, which is to hold one.
const AT_ONCE: usize = 4096;

/// Every entry of a hash map whose keys and values are `K` and `V`.
///
/// # Errors
/// The kernel's answer; what was read before it is lost.
pub(super) fn entries<K, V>(map: &MapData) -> io::Result<BTreeMap<K, V>>
where
    K: bytemuck::Pod + Ord,
    V: bytemuck::Pod,
{
    let mut all = BTreeMap::new();
    let (mut keys, mut values) = (vec![K::zeroed(); AT_ONCE], vec![V::zeroed(); AT_ONCE]);
    let mut from = None;
    loop {
        let read = bpf::lookup_batch(map, from, &mut keys, &mut values)?;
        all.extend(keys.iter().copied().zip(values.iter().copied()).take(read.count));
        if read.next.is_none() {
            return Ok(all);
        }
        from = read.next;
    }
}
