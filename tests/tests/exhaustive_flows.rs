//! Every TCP flag byte, from either side, on a connection in every state that either side opened, with rules that allow the
//! sender to open one and rules that do not: verdict, and what is remembered then. Against a table that is read off the
//! policy here.

use std::collections::BTreeMap;

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::abi::{Flow, FlowKey, FlowState};
use ipv6_sg_common::verdict::Reason::{self, *};
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire as _, tcp};
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::state;
use ipv6_sg_tests::world::*;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A connection: who opened it and how far it came; `None` when there is none.
type Connection = Option<(Direction, FlowState)>;

/// Who may open a connection.
#[derive(Clone, Copy, Debug)]
struct Access {
    ingress: bool,
    egress: bool,
}

impl Access {
    const fn allows(self, direction: Direction) -> bool {
        match direction {
            FromVm => self.egress,
            ToVm => self.ingress,
        }
    }

    fn setup(self) -> Setup {
        // A rule for another protocol allows none of this, where no rule at all would allow everything out.
        let rule = |allowed| if allowed { "tcp" } else { "udp" };
        let rules = |allowed| format!("[{{ protocol = \"{}\", peers = [\"::/0\"] }}]", rule(allowed));
        let group = format!("[security_group.vm]\ningress = {}\negress = {}", rules(self.ingress), rules(self.egress));
        state::setup("flags", "security_groups = [\"vm\"]", &group)
    }
}

const fn other(direction: Direction) -> Direction {
    match direction {
        FromVm => ToVm,
        ToVm => FromVm,
    }
}

/// Which connections there can be.
fn connections() -> impl Iterator<Item = Connection> {
    let of = |opener| FlowState::ALL.map(|state| Some((opener, state)));
    [None].into_iter().chain(Direction::ALL.into_iter().flat_map(of))
}

/// The segments that bring a connection there.
fn history(connection: Connection) -> Vec<(Direction, u8)> {
    let Some((opener, state)) = connection else { return Vec::new() };
    let all = [(opener, SYN), (other(opener), SYN | ACK), (opener, FIN | ACK)];
    let count = match state {
        FlowState::Opening => 1,
        FlowState::Established => 2,
        FlowState::Closing => 3,
    };
    all[..count].to_vec()
}

/// The policy: the verdict on a segment, and the connection after it.
fn policy(access: Access, connection: Connection, from: Direction, flags: u8) -> (Reason, Connection) {
    let begins = flags & (SYN | ACK | RST) == SYN;
    let new = if access.allows(from) {
        (Allowed, Some((from, FlowState::Opening)))
    } else {
        (if from == FromVm { EgressDenied } else { IngressDenied }, connection)
    };
    let Some((opener, state)) = connection else { return new };
    // The other side begins nothing on these ports, but at the same moment.
    if begins && from != opener && state != FlowState::Opening {
        return new;
    }
    let after = match state {
        _ if !begins && flags & (FIN | RST) != 0 => FlowState::Closing,
        FlowState::Opening if from != opener => FlowState::Established,
        FlowState::Closing if begins => FlowState::Opening,
        state => state,
    };
    (Established, Some((opener, after)))
}

/// What is judged: on the host or in the kernel.
trait Port {
    fn judge(&mut self, direction: Direction, frame: &Frame) -> Reason;
    fn become_another(&mut self, setup: &Setup);
    fn flows(&self) -> Vec<(FlowKey, Flow)>;
}

impl Port for Host {
    fn judge(&mut self, direction: Direction, frame: &Frame) -> Reason {
        Self::judge(self, direction, frame)
    }
    fn become_another(&mut self, setup: &Setup) {
        self.change(setup);
    }
    fn flows(&self) -> Vec<(FlowKey, Flow)> {
        Self::flows(self)
    }
}

impl Port for Object {
    fn judge(&mut self, direction: Direction, frame: &Frame) -> Reason {
        self.reason(direction, frame)
    }
    fn become_another(&mut self, setup: &Setup) {
        self.change(setup);
    }
    fn flows(&self) -> Vec<(FlowKey, Flow)> {
        Self::flows(self)
    }
}

/// A segment of the connection between these ports of the VM and the stranger.
fn segment(direction: Direction, (local, remote): (u16, u16), flags: u8) -> Frame {
    match direction {
        FromVm => Ipv6::new(VM, STRANGER, tcp(local, remote, flags)).frame(FromVm),
        ToVm => Ipv6::new(STRANGER, VM, tcp(remote, local, flags)).frame(ToVm),
    }
}

/// Every combination, each on ports of its own.
fn check(port: &mut impl Port) {
    let everything = Access { ingress: true, egress: true };
    let mut count = 0;
    let mut remote = 1000;
    for access in [(true, true), (true, false), (false, true)] {
        let access = Access { ingress: access.0, egress: access.1 };
        for connection in connections() {
            // Rules that no longer allow its opener cut a connection: that is told in stories.
            if connection.is_some_and(|(opener, _)| !access.allows(opener)) {
                continue;
            }
            for from in Direction::ALL {
                port.become_another(&everything.setup());
                remote += 1;
                for local in 0..=255 {
                    for (direction, flags) in history(connection) {
                        port.judge(direction, &segment(direction, (local, remote), flags));
                    }
                }
                port.become_another(&access.setup());
                let mut wanted = BTreeMap::new();
                for flags in 0..=255 {
                    let local = u16::from(flags);
                    let (reason, after) = policy(access, connection, from, flags);
                    let seen = port.judge(from, &segment(from, (local, remote), flags));
                    assert_eq!(seen, reason, "{flags:#04x} {} on {connection:?} with {access:?}", from.name());
                    wanted.extend(after.map(|(opener, state)| (local, (opener as u8, state as u8))));
                    count += 1;
                }
                let flows = port.flows().into_iter().filter(|(key, _)| key.remote_port == remote);
                let seen: BTreeMap<_, _> =
                    flows.map(|(key, flow)| (key.local_port, (flow.opened, flow.state))).collect();
                assert_eq!(seen, wanted, "after any flags {} on {connection:?} with {access:?}", from.name());
            }
        }
    }
    // Seven connections with both, four with either, two senders.
    assert_eq!(count, (7 + 4 + 4) * 2 * 256);
}

#[test]
fn host() {
    check(&mut Host::new(Ports::Ruled.setup()));
}

#[test]
fn kernel() {
    check(&mut Object::load(&Ports::Ruled.setup()));
}
