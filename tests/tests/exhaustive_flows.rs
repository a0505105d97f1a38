//! Every TCP flag byte, from either side, on a connection in every state that either side opened, with rules that allow the
//! sender to open one and rules that do not: verdict, and what is remembered then. Against a table that is read off the
//! policy here.

use std::collections::BTreeMap;

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::abi::{Flow, FlowKey, FlowState};
use ipv6_sg_common::verdict::Reason::{self, *};
use ipv6_sg_tests::frame::flags::{ACK, FIN, RST, SYN};
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire as _, tcp};
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::state;
use ipv6_sg_tests::world::*;

/// Directions in which something was said, by number.
type Said = [bool; 2];

/// A connection: who opened it, and who has said anything, FIN, and RST without going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connection {
    opener: Direction,
    spoken: Said,
    finished: Said,
    reset: Said,
}

impl Connection {
    /// That begins with this.
    fn new(opener: Direction, from: Direction, flags: u8) -> Self {
        Self { opener, spoken: [false; 2], finished: [false; 2], reset: [false; 2] }.after(from, flags)
    }

    fn after(mut self, from: Direction, flags: u8) -> Self {
        let side = from as usize;
        self.spoken[side] = true;
        self.reset[side] = flags & RST != 0;
        self.finished[side] |= flags & (FIN | RST) == FIN && !begins(flags);
        self
    }

    fn is_over(self) -> bool {
        self.finished == [true, true] || self.reset.contains(&true)
    }

    fn state(self) -> FlowState {
        match self.spoken {
            _ if self.is_over() => FlowState::Closing,
            [true, true] => FlowState::Established,
            _ => FlowState::Opening,
        }
    }
}

/// Whether a segment with these flags asks for a connection.
const fn begins(flags: u8) -> bool {
    flags & (SYN | ACK | RST) == SYN
}

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

/// The segments that a connection has seen: who, seen from the opener, and what.
const HISTORIES: [&[(bool, u8)]; 10] = [
    &[],
    &[(true, SYN)],
    &[(true, SYN), (false, SYN | ACK)],
    &[(true, SYN), (false, SYN | ACK), (true, FIN | ACK)],
    &[(true, SYN), (false, SYN | ACK), (false, FIN | ACK)],
    &[(true, SYN), (false, SYN | ACK), (false, FIN | ACK), (true, FIN | ACK)],
    &[(true, SYN), (false, RST | ACK)],
    &[(true, SYN), (false, SYN | ACK), (true, RST)],
    &[(true, SYN), (false, SYN | ACK), (false, RST)],
    // Of a server that was seen first in mid-stream.
    &[(false, ACK)],
];

/// The same, of a connection that this side opened.
fn history(opener: Direction, segments: &[(bool, u8)]) -> Vec<(Direction, u8)> {
    segments.iter().map(|(by_opener, flags)| (if *by_opener { opener } else { other(opener) }, *flags)).collect()
}

/// The policy: the verdict on a segment, and the connection after it, when the rules have changed since the last segment.
fn policy(access: Access, before: Option<Connection>, from: Direction, flags: u8) -> (Reason, Option<Connection>) {
    let new = if access.allows(from) {
        // In mid-stream it is the peer's, if it may be.
        let opener = if access.ingress && !begins(flags) { ToVm } else { from };
        (Allowed, Some(Connection::new(opener, from, flags)))
    } else {
        (if from == FromVm { EgressDenied } else { IngressDenied }, before)
    };
    let Some(connection) = before else { return new };
    // Who opened it was guessed.
    if from != connection.opener && !connection.spoken[connection.opener as usize] {
        return new;
    }
    if begins(flags) && from == connection.opener && connection.is_over() {
        return (Established, Some(Connection::new(from, from, flags)));
    }
    // The other side begins nothing on these ports, but at the same moment as the opener.
    if begins(flags) && from != connection.opener && connection.state() != FlowState::Opening {
        return new;
    }
    (Established, Some(connection.after(from, flags)))
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

/// What the policy makes of these segments when everything is allowed.
fn connection(segments: &[(Direction, u8)]) -> Option<Connection> {
    let everything = Access { ingress: true, egress: true };
    segments.iter().fold(None, |connection, (from, flags)| policy(everything, connection, *from, *flags).1)
}

/// As a flow has it.
fn bits(said: Said, bit: u8) -> u8 {
    Direction::ALL.into_iter().filter(|from| said[*from as usize]).map(|from| bit << from as u8).sum()
}

/// Every combination, each on ports of its own.
fn check(port: &mut impl Port) {
    let everything = Access { ingress: true, egress: true };
    let mut count = 0;
    let mut remote = 1000;
    for (ingress, egress) in [(true, true), (true, false), (false, true)] {
        let access = Access { ingress, egress };
        for (opener, segments) in Direction::ALL.into_iter().flat_map(|opener| HISTORIES.map(|said| (opener, said))) {
            let history = history(opener, segments);
            let before = connection(&history);
            // Rules that no longer allow its opener cut a connection: that is told in stories.
            if before.is_some_and(|connection| !access.allows(connection.opener)) {
                continue;
            }
            for from in Direction::ALL {
                port.become_another(&everything.setup());
                remote += 1;
                for local in 0..=255 {
                    for (direction, flags) in &history {
                        port.judge(*direction, &segment(*direction, (local, remote), *flags));
                    }
                }
                port.become_another(&access.setup());
                let mut wanted = BTreeMap::new();
                for flags in 0..=255 {
                    let local = u16::from(flags);
                    let (reason, after) = policy(access, before, from, flags);
                    let seen = port.judge(from, &segment(from, (local, remote), flags));
                    assert_eq!(seen, reason, "{flags:#04x} {} on {before:?} with {access:?}", from.name());
                    wanted.extend(after.map(|after| {
                        let ended = bits(after.finished, Flow::FINISHED) | bits(after.reset, Flow::RESET);
                        let flow = (after.opener as u8, bits(after.spoken, Flow::SPOKEN), ended, 0, after.state());
                        (local, flow)
                    }));
                    count += 1;
                }
                let flows = port.flows().into_iter().filter(|(key, _)| key.remote_port == remote);
                let seen: BTreeMap<_, _> = flows
                    .map(|(key, flow)| (key.local_port, (flow.opened, flow.spoken, flow.ended, flow.cut, flow.state())))
                    .collect();
                assert_eq!(seen, wanted, "after any flags {} on {before:?} with {access:?}", from.name());
            }
        }
    }
    // With both all twenty; of those of either, his own, and those of nobody, which both have.
    assert_eq!(count, (20 + 12 + 10) * 2 * 256);
}

#[test]
fn host() {
    check(&mut Host::new(Ports::Ruled.setup()));
}

#[test]
fn kernel() {
    check(&mut Object::load(&Ports::Ruled.setup()));
}
