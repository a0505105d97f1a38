//! Reading a map while packets or another process change it: by many entries at a time.
//!
//! Going from key to key is two calls for each entry, and starts again whenever the key at hand is gone: without end on a hash
//! map that is flooded. Hash maps are read by whole buckets, so that each entry that stays is seen once.

use std::collections::BTreeMap;
use std::io;

use aya::maps::MapData;

use super::bpf;

/// How many entries are asked for at a time: far more than a bucket of a hash map comes to have, which is to hold one.
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
    walk::<K, V, u32>(map, |key, value| {
        all.insert(key, value);
    })?;
    Ok(all)
}

/// Tells every entry of a longest-prefix map whose keys, with their lengths, and values are `K` and `V`. An entry may be told
/// twice: the kernel begins again when the one that it would go on from is gone.
///
/// # Errors
/// The kernel's answer: [`bpf::ENOTSUPP`] at once, before anything is told, where it reads such maps key by key alone.
pub(super) fn prefixes<K: bytemuck::Pod, V: bytemuck::Pod>(map: &MapData, tell: impl FnMut(K, V)) -> io::Result<()> {
    walk::<K, V, K>(map, tell)
}

/// `P` is the map's kind of place to go on from.
fn walk<K, V, P>(map: &MapData, mut tell: impl FnMut(K, V)) -> io::Result<()>
where
    K: bytemuck::Pod,
    V: bytemuck::Pod,
    P: bytemuck::Pod,
{
    let (mut keys, mut values) = (vec![K::zeroed(); AT_ONCE], vec![V::zeroed(); AT_ONCE]);
    let mut from: Option<P> = None;
    loop {
        let read = bpf::lookup_batch(map, from, &mut keys, &mut values)?;
        keys.iter().zip(&values).take(read.count).for_each(|(key, value)| tell(*key, *value));
        if read.next.is_none() {
            return Ok(());
        }
        from = read.next;
    }
}
