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
    /// Those that would be meant and are over. The port knows them still: a connection that goes on is the one it was.
    pub(super) over: Vec<FlowKey>,
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
                let (all, now_ns) = (memory.read()?, now_ns()?);
                let (live, over) = parted(all, filter, now_ns);
                Some(Flows { memory, live, over, now_ns })
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

/// Those that `filter` takes: the live ones, and which are over.
fn parted(mut all: BTreeMap<FlowKey, Flow>, filter: &Filter, now_ns: u64) -> (BTreeMap<FlowKey, Flow>, Vec<FlowKey>) {
    all.retain(|key, flow| filter.takes(key, flow));
    let over = all.extract_if(.., |key, flow| !is_live(key, flow, now_ns)).map(|(key, _)| key).collect();
    (all, over)
}

fn is_live(key: &FlowKey, flow: &Flow, now_ns: u64) -> bool {
    u8::try_from(key.protocol).is_ok_and(|protocol| flow.is_live(protocol, now_ns))
}

#[cfg(test)]
mod tests {
    use ipv6_sg_common::address::Address;
    use ipv6_sg_common::packet::protocol;

    use super::*;

    #[test]
    fn what_is_over_is_not_shown_and_not_lost() {
        let (local, remote) = (Address::UNSPECIFIED, Address::UNSPECIFIED);
        let key = |local_port| FlowKey { local, remote, local_port, remote_port: 0, protocol: protocol::TCP.into() };
        let flow = |seen_ns| Flow { seen_ns, generation: 0, opened: 0, spoken: 1, ended: 0, cut: 1 };
        let all = BTreeMap::from([(key(1), flow(0)), (key(2), flow(1))]);
        let (live, over) = parted(all, &Filter::default(), 240_000_000_000);
        assert_eq!((live.into_keys().collect::<Vec<_>>(), over), (vec![key(2)], vec![key(1)]));
    }
}
