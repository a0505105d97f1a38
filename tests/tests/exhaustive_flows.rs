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

/// A connection: who opened it, and who has said anything, SYN, FIN, and RST without anybody's going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Connection {
    opener: Direction,
    spoken: Said,
    begun: Said,
    finished: Said,
    reset: Said,
}

impl Connection {
    /// That begins with this.
    fn new(opener: Direction, from: Direction, flags: u8) -> Self {
        let nobody = [false; 2];
        Self { opener, spoken: nobody, begun: nobody, finished: nobody, reset: nobody }.after(from, flags)
    }

    fn after(mut self, from: Direction, flags: u8) -> Self {
        let side = from as usize;
        self.spoken[side] = true;
        if resets(flags) {
            self.reset[side] = true;
            return self;
        }
        // Nobody can forge that the VM goes on.
        self.reset = if from == FromVm { [false; 2] } else { [self.reset[0], false] };
        self.begun[side] |= begins(flags);
        self.finished[side] |= flags & FIN != 0 && !begins(flags) && !answers(flags);
        self
    }

    /// With a SYN of who opened it.
    fn again(mut self) -> Self {
        if self.state() == FlowState::Closing {
            (self.spoken, self.begun) = ([false; 2], [false; 2]);
        }
        (self.finished, self.reset) = ([false; 2], [false; 2]);
        self.after(self.opener, SYN)
    }

    fn state(self) -> FlowState {
        match self.spoken {
            _ if self.finished == [true, true] || self.reset.contains(&true) => FlowState::Closing,
            [true, true] => FlowState::Established,
            _ => FlowState::Opening,
        }
    }
}

/// Whether a segment with these flags asks for a connection.
const fn begins(flags: u8) -> bool {
    flags & (SYN | ACK | RST) == SYN
}

/// Whether one answers who asked for it.
const fn answers(flags: u8) -> bool {
    flags & (SYN | ACK | RST) == SYN | ACK
}

/// Whether one breaks it off.
const fn resets(flags: u8) -> bool {
    flags & RST != 0
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
    if !access.allows(from) {
        let denied = (if from == FromVm { EgressDenied } else { IngressDenied }, before);
        return goes_on(before, from, flags).unwrap_or(denied);
    }
    let opener = if answers(flags) {
        // Its sender did not open it.
        Some(other(from)).filter(|opener| access.allows(*opener))
    } else if resets(flags) {
        None
    } else if begins(flags) || from == ToVm || !access.ingress {
        Some(from)
    } else {
        Some(ToVm)
    };
    let new = opener.map(|opener| Connection::new(opener, from, flags));
    match before {
        None => (Allowed, new),
        Some(connection) => goes_on(before, from, flags).unwrap_or_else(|| {
            if !begins(flags) {
                // Who opened it was guessed, and is not guessed again.
                return (Allowed, Some(Connection::new(connection.opener, from, flags)));
            }
            // Anybody can say that the peer has reset it.
            let mut stays = connection;
            stays.reset[ToVm as usize] &= from == FromVm;
            let stays = stays.state() == FlowState::Established;
            (Allowed, if stays { before } else { new })
        }),
    }
}

/// The same where the segment is of the connection, that its opener may have.
fn goes_on(before: Option<Connection>, from: Direction, flags: u8) -> Option<(Reason, Option<Connection>)> {
    let connection = before?;
    let opener = connection.opener;
    let after = match (begins(flags), from == opener) {
        (true, true) => connection.again(),
        // At the same moment as the VM.
        (true, false) => {
            let vm_alone = [true, false];
            let same_moment = connection.begun == vm_alone && connection.spoken == vm_alone;
            let ended = connection.finished != [false; 2] || connection.reset != [false; 2];
            if from == FromVm || !same_moment || ended {
                return None;
            }
            connection.after(from, flags)
        }
        (false, _) => connection.after(from, flags),
    };
    after.spoken[opener as usize].then_some((Established, Some(after)))
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
                        let spoken = bits(after.spoken, Flow::SPOKEN) | bits(after.begun, Flow::BEGUN);
                        let ended = bits(after.finished, Flow::FINISHED) | bits(after.reset, Flow::RESET);
                        let flow = (after.opener as u8, spoken, ended, 0, after.state());
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
fn host_core_alone() {
    check(&mut Host::new(Ports::Ruled.setup()));
}

#[test]
fn kernel() {
    check(&mut Object::load(&Ports::Ruled.setup()));
}
