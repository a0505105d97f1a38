//! Which flows are meant: what operators say of them.

use ipnet::Ipv6Net;
use ipv6_sg_common::abi::{Flow, FlowKey, FlowState};
use ipv6_sg_common::packet::protocol;

use super::ends::Ends;
use crate::state::{Problem, Traffic, value};

/// Only flows that all of these are true of.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Filter {
    /// Only flows with this peer: an address or a prefix
    #[arg(long, value_name = "PREFIX", value_parser = addresses)]
    peer: Option<Ipv6Net>,
    /// Only flows of this protocol: tcp, udp, icmpv6 or a number
    #[arg(long, value_name = "PROTOCOL", value_parser = value::protocol)]
    protocol: Option<Traffic>,
    /// Only flows with this port, at the VM or at the peer
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Only flows in this state: opening, established or closing
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<FlowState>,
    /// Only flows that the rules no longer allow
    #[arg(long)]
    cut: bool,
}

impl Filter {
    /// Whether this flow is meant.
    pub(super) fn takes(&self, key: &FlowKey, flow: &Flow) -> bool {
        let ends = Ends::of(key);
        self.peer.is_none_or(|prefix| prefix.contains(&key.remote.to_ip()))
            && self
                .protocol
                .is_none_or(|traffic| number(traffic).is_none_or(|number| u32::from(number) == key.protocol))
            && self.port.is_none_or(|port| [ends.vm_port, ends.peer_port].contains(&Some(port)))
            && self.state.is_none_or(|state| flow.state() == state)
            && (!self.cut || flow.cut != 0)
    }
}

/// The number of a protocol that a person names; `None` for `all`.
const fn number(traffic: Traffic) -> Option<u8> {
    match traffic {
        Traffic::All => None,
        Traffic::Tcp(_) => Some(protocol::TCP),
        Traffic::Udp(_) => Some(protocol::UDP),
        Traffic::Icmpv6(_) => Some(protocol::ICMPV6),
        Traffic::Protocol(number) => Some(number),
    }
}

fn addresses(text: &str) -> Result<Ipv6Net, Problem> {
    match text.parse::<std::net::Ipv6Addr>() {
        Ok(address) => Ok(address.into()),
        Err(_) => value::any_prefix(text),
    }
}

fn state(text: &str) -> Result<FlowState, String> {
    let names = FlowState::ALL.map(FlowState::name);
    let found = FlowState::ALL.into_iter().find(|state| state.name() == text);
    found.ok_or_else(|| format!("not a state; write one of {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use ipv6_sg_common::address::Address;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filter: Filter,
    }

    fn filter(words: &str) -> Result<Filter, String> {
        let line = Line::try_parse_from(std::iter::once("flows").chain(words.split_whitespace()));
        line.map(|line| line.filter).map_err(|error| error.to_string())
    }

    fn address(text: &str) -> Address {
        Address::from_ip(text.parse().unwrap())
    }

    fn flow(protocol: u32, local_port: u16, remote_port: u16) -> (FlowKey, Flow) {
        let (local, remote) = (address("2001:db8:1::1"), address("2001:db8:9::9"));
        let flow = Flow { seen_ns: 0, generation: 0, opened: 0, spoken: 3, ended: 0, cut: u8::from(protocol == 47) };
        (FlowKey { local, remote, local_port, remote_port, protocol }, flow)
    }

    #[test]
    fn what_each_word_means() {
        let tcp = flow(6, 40_000, 443);
        let echo = flow(58, 1, 443);
        let gre = flow(47, 0, 0);
        for (words, takes) in [
            ("", [true, true, true]),
            ("--peer 2001:db8:9::9", [true, true, true]),
            ("--peer 2001:db8:9::/48", [true, true, true]),
            // The VM's own address is no peer.
            ("--peer 2001:db8:1::1", [false, false, false]),
            ("--protocol tcp", [true, false, false]),
            ("--protocol 6", [true, false, false]),
            ("--protocol icmpv6", [false, true, false]),
            ("--protocol 47", [false, false, true]),
            ("--protocol all", [true, true, true]),
            // An identifier is no port, nor is the place where other protocols have none.
            ("--port 443", [true, false, false]),
            ("--port 40000", [true, false, false]),
            ("--port 1", [false, false, false]),
            ("--port 0", [false, false, false]),
            ("--state established", [true, true, true]),
            ("--state closing", [false, false, false]),
            ("--cut", [false, false, true]),
            ("--protocol tcp --port 22", [false, false, false]),
        ] {
            let filter = filter(words).unwrap();
            assert_eq!([&tcp, &echo, &gre].map(|(key, flow)| filter.takes(key, flow)), takes, "{words}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (words, message) in [
            ("--peer 2001:db8::1/64", "has host bits; write 2001:db8::/64"),
            ("--peer 192.0.2.1", "IPv4"),
            ("--peer web", "not an IPv6 prefix"),
            ("--protocol sctp", "protocol"),
            ("--port 65536", "65536 is not in 0..=65535"),
            ("--state open", "not a state; write one of opening, established, closing"),
        ] {
            let error = filter(words).unwrap_err();
            assert!(error.contains(message), "{words}: {error}");
        }
    }
}
