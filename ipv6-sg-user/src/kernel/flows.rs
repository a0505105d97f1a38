//! The flows of a port, as its memory holds them: read, and forgotten on an operator's word.

use std::collections::BTreeMap;

use aya::maps::{ArrayOfMaps, HashMap, Map, MapData, MapError};
use ipv6_sg_common::abi::{Flow, FlowKey, maps};

use super::error::{caused_by, not_permitted};
use super::pod::Raw;
use super::{KernelError, Result, batch, kept_aside, nested};

/// The memory of one port's flows.
pub struct PortFlows {
    map: MapData,
    most: u32,
}

impl PortFlows {
    /// The memory at this index; `None` when there is none.
    pub(super) fn open(outer: &ArrayOfMaps<MapData>, memory: u32) -> Result<Option<Self>> {
        let Some(map) = nested::at(outer, memory).map_err(refused("read"))? else { return Ok(None) };
        let entries = map.info().map_err(refused("read"))?.max_entries();
        Ok(Some(Self { map, most: entries.saturating_sub(kept_aside()?) }))
    }

    /// How many flows it has room for: what the settings said when it was made.
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// Every flow in it, those too that are over and not overwritten yet.
    ///
    /// # Errors
    /// The kernel does not let it be read.
    pub fn read(&self) -> Result<BTreeMap<FlowKey, Flow>> {
        batch::entries(&self.map).map_err(MapError::IoError).map_err(refused("read"))
    }

    /// Forgets these flows, so that their next packets are put to the rules. Returns how many there were to forget.
    ///
    /// # Errors
    /// The kernel does not let one be removed; those before it are.
    pub fn forget<'a>(self, flows: impl IntoIterator<Item = &'a FlowKey>) -> Result<usize> {
        let mut map: HashMap<_, Raw<FlowKey>, Raw<Flow>> =
            Map::LruHashMap(self.map).try_into().map_err(refused("open"))?;
        let mut forgotten = 0;
        for key in flows {
            match map.remove(&Raw(*key)) {
                Ok(()) => forgotten += 1,
                // It made room for another one meanwhile.
                Err(error) if caused_by(&error, libc::ENOENT) => {}
                Err(error) => return Err(refused("remove from")(error)),
            }
        }
        Ok(forgotten)
    }
}

/// Opening an inner map takes more than opening a pin.
fn refused(action: &'static str) -> impl Fn(MapError) -> KernelError {
    move |error| {
        if not_permitted(&error) { KernelError::NotPermitted } else { KernelError::map(action, maps::FLOWS)(error) }
    }
}
