//! A flow as it is printed.

use std::time::Duration;

use ipv6_sg_common::abi::{Direction, Flow, FlowKey};
use ipv6_sg_common::packet::protocol;
use serde::Serialize;

use super::ends::Ends;

/// A flow, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct FlowRow {
    /// As rules name it: `tcp`, `udp`, `icmpv6`, or a number.
    protocol: String,
    vm_address: String,
    vm_port: Option<u16>,
    peer_address: String,
    peer_port: Option<u16>,
    /// Of ICMPv6 echo.
    identifier: Option<u16>,
    /// Which way its first packet went, or is taken to have gone: who opened it, and for echo, who asks.
    opened: &'static str,
    state: &'static str,
    /// Since its last packet.
    idle_seconds: u64,
    /// The rules have changed since it was last put to them: its next packet is.
    due: bool,
    /// The rules did not allow it any more when it was last put to them.
    cut: bool,
}

impl FlowRow {
    /// The row of a flow at this time, while the rules are of this generation.
    pub(in crate::cli) fn new(key: &FlowKey, flow: &Flow, now_ns: u64, generation: u32) -> Self {
        let Ends { vm_port, peer_port, identifier } = Ends::of(key);
        Self {
            protocol: protocol_name(key.protocol),
            vm_address: key.local.to_string(),
            vm_port,
            peer_address: key.remote.to_string(),
            peer_port,
            identifier,
            opened: Direction::from_number(flow.opened).map_or("-", Direction::name),
            state: flow.state().name(),
            idle_seconds: Duration::from_nanos(now_ns.saturating_sub(flow.seen_ns)).as_secs(),
            due: flow.generation != generation,
            cut: flow.cut != 0,
        }
    }

    /// The columns below [`HEADINGS`].
    pub(super) fn cells(&self) -> [String; 7] {
        let what = match self.identifier {
            Some(identifier) => format!("{} echo {identifier}", self.protocol),
            None => self.protocol.clone(),
        };
        let rules = match (self.due, self.cut) {
            (true, _) => "due",
            (false, true) => "cut",
            (false, false) => "current",
        };
        [
            what,
            end(&self.vm_address, self.vm_port),
            end(&self.peer_address, self.peer_port),
            self.opened.to_owned(),
            self.state.to_owned(),
            self.idle(),
            rules.to_owned(),
        ]
    }

    /// In one line, where there is one flow only.
    pub(in crate::cli) fn line(&self) -> String {
        let [what, vm, peer, opened, state, idle, rules] = self.cells();
        format!("{what}, {vm} and {peer}, opened {opened}, {state}, idle {idle}, rules {rules}")
    }

    fn idle(&self) -> String {
        humantime::format_duration(Duration::from_secs(self.idle_seconds)).to_string()
    }
}

/// What [`FlowRow::cells`] are.
pub(super) const HEADINGS: [&str; 7] = ["PROTOCOL", "VM ADDRESS", "PEER ADDRESS", "OPENED", "STATE", "IDLE", "RULES"];

fn end(address: &str, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_owned(), |port| format!("{address}.{port}"))
}

fn protocol_name(number: u32) -> String {
    const NAMES: [(u8, &str); 3] = [(protocol::TCP, "tcp"), (protocol::UDP, "udp"), (protocol::ICMPV6, "icmpv6")];
    let name = NAMES.iter().find(|(known, _)| u32::from(*known) == number);
    name.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use ipv6_sg_common::address::Address;
    use serde_json::json;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn row(protocol: u32, local_port: u16, remote_port: u16, seen_ns: u64) -> FlowRow {
        let address = |text: &str| Address::from_ip(text.parse().unwrap());
        let key = FlowKey {
            local: address("2001:db8:1::1"),
            remote: address("2001:db8:9::9"),
            local_port,
            remote_port,
            protocol,
        };
        let flow = Flow { seen_ns, generation: 7, opened: Direction::ToVm as u8, spoken: 3, ended: 0, cut: 0 };
        FlowRow::new(&key, &flow, 100 * SECOND, 7)
    }

    #[test]
    fn ports_and_identifiers() {
        assert_eq!(
            row(6, 443, 40_000, 38 * SECOND).cells(),
            ["tcp", "2001:db8:1::1.443", "2001:db8:9::9.40000", "to_vm", "established", "1m 2s", "current"]
        );
        assert_eq!(
            row(58, 1, 4711, 100 * SECOND).line(),
            "icmpv6 echo 4711, 2001:db8:1::1 and 2001:db8:9::9, opened to_vm, established, idle 0s, rules current"
        );
        // SCTP has ports, GRE has none.
        assert_eq!(row(132, 5, 6, 0).cells()[..2], ["132", "2001:db8:1::1.5"]);
        assert_eq!(row(47, 0, 0, 0).cells()[..2], ["47", "2001:db8:1::1"]);
    }

    #[test]
    fn a_flow_seen_by_a_clock_ahead_is_not_idle() {
        assert_eq!(row(6, 1, 2, 101 * SECOND).idle_seconds, 0);
    }

    #[test]
    fn keys_for_programs() {
        assert_eq!(
            serde_json::to_value(row(58, 1, 4711, 99 * SECOND)).unwrap(),
            json!({
                "protocol": "icmpv6", "vm_address": "2001:db8:1::1", "vm_port": null, "peer_address": "2001:db8:9::9",
                "peer_port": null, "identifier": 4711, "opened": "to_vm", "state": "established", "idle_seconds": 1,
                "due": false, "cut": false
            })
        );
    }
}
