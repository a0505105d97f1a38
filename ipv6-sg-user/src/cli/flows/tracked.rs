//! The ports' flows as they are now: live ones, and those of them that are meant.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use ipv6_sg_common::abi::{Flow, FlowKey};

use super::filter::Filter;
use crate::cli::interfaces::{self, name_of};
use crate::kernel::{Inspect, PortFlows, now_ns};

/// A guarded port.
pub(super) struct Tracked {
    pub(super) interface: String,
    pub(super) ifindex: u32,
    /// `None` where no rules apply, and so no flows are tracked.
    pub(super) flows: Option<Flows>,
}

/// What a port remembers.
pub(super) struct Flows {
    /// The memory that they are in.
    pub(super) memory: PortFlows,
    /// Those that are meant.
    pub(super) live: BTreeMap<FlowKey, Flow>,
    /// The packet path's time when they were read, in nanoseconds.
    pub(super) now_ns: u64,
}

/// The ports, or the only one, each with its flows that `filter` takes and that are not over at its time of reading.
pub(super) fn each(
    inspect: &Inspect,
    only: Option<&str>,
    filter: &Filter,
    mut act: impl FnMut(Tracked) -> Result<()>,
) -> Result<()> {
    let names = interfaces::names();
    let mut found = false;
    for port in inspect.flows(|ifindex| only.is_none_or(|only| name_of(&names, ifindex) == only))? {
        found = true;
        let (ifindex, memory) = port?;
        let flows = match memory {
            Some(memory) => {
                let (mut live, now_ns) = (memory.read()?, now_ns()?);
                live.retain(|key, flow| is_live(key, flow, now_ns) && filter.takes(key, flow));
                Some(Flows { memory, live, now_ns })
            }
            None => None,
        };
        act(Tracked { interface: name_of(&names, ifindex), ifindex, flows })?;
    }
    match only {
        Some(interface) if !found => {
            bail!("interface {interface} is not guarded; `ipv6-sg ports` lists those that are")
        }
        _ => Ok(()),
    }
}

fn is_live(key: &FlowKey, flow: &Flow, now_ns: u64) -> bool {
    u8::try_from(key.protocol).is_ok_and(|protocol| flow.is_live(protocol, now_ns))
}
