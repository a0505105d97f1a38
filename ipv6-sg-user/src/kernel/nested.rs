//! What a port remembers from one packet to the next: for each kind of memory a map of maps, index → inner map.

use std::os::fd::AsFd as _;
use std::{io, thread};

use aya::maps::{ArrayOfMaps, Map, MapData, MapError, PerCpuArray, PerCpuValues};
use aya::util::{KernelVersion, nr_cpus};
use ipv6_sg_common::abi::{Counters, maps};

use super::error::{caused_by, not_permitted};
use super::inner::InnerMaker;
use super::pod::Raw;
use super::{KernelError, Result, bpf};

/// One kind of memory.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// The map of maps.
    pub(super) outer: &'static str,
    /// How the names of its inner maps begin; the index follows, and all of it has at most 15 bytes.
    inner: &'static str,
    /// Makes an inner map as empty as a new one. `None` where a new one takes less.
    clear: Option<fn(Map) -> Result<()>>,
}

/// All of them.
pub(super) const KINDS: [Kind; 3] = [
    Kind { outer: maps::COUNTERS, inner: "ipv6_sg_c_", clear: Some(clear_counters) },
    Kind { outer: maps::FRAGMENTS, inner: "ipv6_sg_f_", clear: None },
    Kind { outer: maps::FLOWS, inner: "ipv6_sg_t_", clear: None },
];

fn clear_counters(map: Map) -> Result<()> {
    let refused = KernelError::map("clear", maps::COUNTERS);
    let mut counters = PerCpuArray::<_, Raw<Counters>>::try_from(map).map_err(&refused)?;
    let cpus = nr_cpus().map_err(|(_, error)| refused(MapError::IoError(error)))?;
    let zero = PerCpuValues::try_from(vec![Raw(Counters::default()); cpus]);
    let zero = zero.map_err(|error| refused(MapError::IoError(error)))?;
    counters.set(0, zero, 0).map_err(refused)
}

/// From this version on the kernel only looks when it is asked which map is where. Before, it also waits for an RCU grace
/// period, each time, as it does after a change.
const LOOKS_AT_ONCE: KernelVersion = KernelVersion::new(6, 8, 0);
/// So many look at the same time before that, and wait for the same grace periods. One alone would take minutes.
const LOOKERS: usize = 512;

/// The memories of one kind.
pub(super) struct Nested {
    kind: Kind,
    outer: MapData,
    maker: InnerMaker,
}

impl Nested {
    /// `outer` is the kind's map of maps, `maker` makes what it holds.
    pub(super) fn new(kind: Kind, outer: Map, maker: InnerMaker) -> Result<Self> {
        let Map::ArrayOfMaps(outer) = outer else {
            return Err(KernelError::Map { action: "open", map: kind.outer, reason: "no array of maps".to_owned() });
        };
        Ok(Self { kind, outer, maker })
    }

    /// Maps made from now on have room for so many entries. Whether it was for others before.
    pub(super) fn resize(&mut self, entries: u32) -> bool {
        self.maker.resize(entries)
    }

    /// Puts a new, empty map at this index. Takes one RCU grace period, some ten milliseconds; several threads can wait
    /// for the same one.
    pub(super) fn make(&self, index: u32) -> Result<()> {
        self.put(index, &self.maker.make(&format!("{}{index}", self.kind.inner))?)
    }

    /// Those of the indices that have a map.
    pub(super) fn present(&self, among: &[u32]) -> Result<Vec<u32>> {
        let look = |indices: &[u32]| -> Result<Vec<u32>> {
            let outer = self.handle()?;
            let mut present = Vec::new();
            for index in indices {
                if at(&outer, *index).map_err(self.refused("read"))?.is_some() {
                    present.push(*index);
                }
            }
            Ok(present)
        };
        if KernelVersion::current().is_ok_and(|version| version >= LOOKS_AT_ONCE) {
            return look(among);
        }
        let shares = among.chunks(among.len().div_ceil(LOOKERS).max(1));
        let results: Vec<_> = thread::scope(|scope| {
            let start = |share| (share, thread::Builder::new().spawn_scoped(scope, move || look(share)));
            let threads: Vec<_> = shares.map(start).collect();
            let end = |(share, thread): (_, io::Result<thread::ScopedJoinHandle<'_, _>>)| {
                // A host that has no thread for it can wait for one after the other.
                thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| look(share))
            };
            threads.into_iter().map(end).collect()
        });
        Ok(results.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// Empties the map at this index. Takes as long as [`Self::make`].
    pub(super) fn clear(&self, index: u32) -> Result<()> {
        match (self.kind.clear, self.at(index)?) {
            (Some(clear), Some(data)) => Map::from_map_data(data).map_err(self.refused("open")).and_then(clear),
            (None, Some(_)) => self.make(index),
            (_, None) => Ok(()),
        }
    }

    /// Removes the map at this index. Takes as long as [`Self::make`].
    pub(super) fn remove(&self, index: u32) -> Result<()> {
        match bpf::delete(self.outer.fd().as_fd(), index) {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => {
                Err(self.refused("remove from")(MapError::IoError(error)))
            }
            _ => Ok(()),
        }
    }

    /// Waits for an RCU grace period: no packet that was under way when this was called still is when it returns.
    ///
    /// The kernel waits for one after each change of a map of maps, for this very purpose, since 4.20; so the map at this
    /// index, which must have one, is put where it is. `membarrier(MEMBARRIER_CMD_GLOBAL)` waits for one too, but refuses
    /// with `nohz_full` and does nothing on a single processor, where a packet can be under way as well.
    pub(super) fn wait(&self, index: u32) -> Result<()> {
        let map = self.at(index)?.ok_or_else(|| self.refused("read")(MapError::KeyNotFound))?;
        self.put(index, &map)
    }

    fn at(&self, index: u32) -> Result<Option<MapData>> {
        at(&self.handle()?, index).map_err(self.refused("read"))
    }

    fn put(&self, index: u32, map: &MapData) -> Result<()> {
        self.handle()?.set(index, map, 0).map_err(self.refused("add to"))
    }

    /// A handle of one's own: the kernel takes changes from several threads at once, aya's types do not.
    fn handle(&self) -> Result<ArrayOfMaps<MapData>> {
        let fd = self.outer.fd().as_fd().try_clone_to_owned();
        let map = fd.map_err(MapError::IoError).and_then(MapData::from_fd);
        map.map(Map::ArrayOfMaps).and_then(TryInto::try_into).map_err(self.refused("open"))
    }

    fn refused(&self, action: &'static str) -> impl Fn(MapError) -> KernelError {
        let map = self.kind.outer;
        move |error| {
            if not_permitted(&error) { KernelError::NotPermitted } else { KernelError::map(action, map)(error) }
        }
    }
}

/// The inner map at this index, if there is one.
pub(super) fn at(outer: &ArrayOfMaps<MapData>, index: u32) -> std::result::Result<Option<MapData>, MapError> {
    match outer.get(&index, 0) {
        Ok(map) => Ok(Some(map)),
        // Removed between the answer, which is an id, and opening it.
        Err(error) if matches!(error, MapError::KeyNotFound) || caused_by(&error, libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
