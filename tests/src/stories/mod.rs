//! Named sequences: what crosses a port both ways, one frame after the other, while rules change and time passes.
//!
//! The expectations are a reading of the policy, not of the code. Rules are written as an operator writes them.

mod access;
mod echo;
mod fragments;
mod icmpv6;
mod link;
mod openers;
mod other_protocols;
mod peers;
mod revocation;
mod spoofing;
mod tcp;
mod timeouts;
mod udp;

use std::time::Duration;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;

use crate::frame::{Frame, Ipv6, OnWire, Upper};
use crate::state;
use crate::world::{STRANGER, Setup, VM};

/// What happens in a story.
#[derive(Clone, Debug)]
pub enum Act {
    /// A frame crosses the port this way, for this reason or not.
    Crosses(Direction, Frame, Reason),
    /// The port is this one from now on; what is remembered stays.
    Becomes(Box<Setup>),
    /// Time passes.
    Passes(Duration),
    /// So many flows are remembered, those that are over included.
    Remembers(usize),
}

/// A port, and what happens at it.
#[derive(Clone, Debug)]
pub struct Story {
    /// Unique.
    pub name: &'static str,
    /// The port at the beginning.
    pub setup: Setup,
    /// What happens, in order.
    pub acts: Vec<Act>,
}

/// A group with nothing in it: nothing may come in, everything may go out.
const NO_RULES: &str = "[security_group.vm]";

/// A rule that lets nothing through that any story sends.
const ELSEWHERE: &str = r#"{ protocol = "tcp", ports = "9", peers = ["2001:db8:dead::/48"] }"#;

/// The VM's group with these rules for what comes in.
fn ingress(rules: &str) -> String {
    format!("[security_group.vm]\ningress = [\n{rules}\n]")
}

/// The VM's group with these rules for what goes out.
fn egress(rules: &str) -> String {
    format!("[security_group.vm]\negress = [\n{rules}\n]")
}

/// The VM's group with rules for both.
fn both(ingress: &str, egress: &str) -> String {
    format!("[security_group.vm]\ningress = [\n{ingress}\n]\negress = [\n{egress}\n]")
}

/// The VM's group with rules for what comes in, and none that anything meets for what goes out.
fn only_ingress(rules: &str) -> String {
    both(rules, ELSEWHERE)
}

/// From the VM to a stranger.
fn out(upper: Upper) -> Ipv6 {
    Ipv6::new(VM, STRANGER, upper)
}

/// From the stranger to the VM.
fn back(upper: Upper) -> Ipv6 {
    Ipv6::new(STRANGER, VM, upper)
}

impl Story {
    /// The VM is in the group `vm`, which is in `groups`.
    #[track_caller]
    fn new(name: &'static str, groups: &str) -> Self {
        Self::on(name, IN_GROUP, groups)
    }

    /// A port with these keys.
    #[track_caller]
    fn on(name: &'static str, port: &str, groups: &str) -> Self {
        Self { name, setup: state::setup(name, port, groups), acts: Vec::new() }
    }

    fn and(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// The VM sends this.
    fn sends(self, packet: impl OnWire, reason: Reason) -> Self {
        self.and(Act::Crosses(Direction::FromVm, packet.frame(Direction::FromVm), reason))
    }

    /// This comes for the VM.
    fn gets(self, packet: impl OnWire, reason: Reason) -> Self {
        self.and(Act::Crosses(Direction::ToVm, packet.frame(Direction::ToVm), reason))
    }

    /// Other groups from now on.
    #[track_caller]
    fn rules(self, groups: &str) -> Self {
        self.port(IN_GROUP, groups)
    }

    /// Another port from now on.
    #[track_caller]
    fn port(self, port: &str, groups: &str) -> Self {
        let setup = state::setup(self.name, port, groups);
        self.and(Act::Becomes(Box::new(setup)))
    }

    /// So many seconds pass.
    fn seconds(self, seconds: u64) -> Self {
        self.and(Act::Passes(Duration::from_secs(seconds)))
    }

    fn remembers(self, flows: usize) -> Self {
        self.and(Act::Remembers(flows))
    }
}

/// The keys of a port in the group `vm`.
const IN_GROUP: &str = "security_groups = [\"vm\"]";
/// Likewise, with echo left to the rules.
const ECHO_RULES: &str = "security_groups = [\"vm\"]\necho = \"rules\"";

/// Every story.
pub fn all() -> Vec<Story> {
    [
        access::stories(),
        peers::stories(),
        tcp::stories(),
        udp::stories(),
        other_protocols::stories(),
        echo::stories(),
        icmpv6::stories(),
        link::stories(),
        spoofing::stories(),
        fragments::stories(),
        revocation::stories(),
        openers::stories(),
        timeouts::stories(),
    ]
    .concat()
}
