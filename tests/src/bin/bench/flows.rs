//! Nanoseconds that a packet costs on a port with rules, by what becomes of it and by how many rules and peers there are.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::abi::programs;
use ipv6_sg_tests::frame::flags::{ACK, SYN};
use ipv6_sg_tests::frame::{Ipv6, OnWire as _, tcp, udp};
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::state;
use ipv6_sg_tests::world::{STRANGER, VM};

use crate::datagram::Datagrams;
use crate::kernel::{self, Kind};
use crate::middle::middle;
use crate::part::Aim;
use crate::sample::{TCP_PORT, both_ways, group, members, open_to};
use crate::table::Table;

/// Each round runs every kind once: what else the machine does hits all of them alike.
const ROUNDS: u32 = 11;
/// Some milliseconds a kind and round.
const REPEAT: u32 = 50_000;
/// How many flows are opened a round.
const OPENED: usize = 2000;
/// More than a port remembers: from then on each new flow takes the place of another.
const FILL: usize = 20_000;
/// The most a packet of a known flow may cost, in empty programs.
const MOST: f64 = 5.0;
/// How much rules and peers may change that.
const FLAT: f64 = 0.10;

/// `TC_ACT_UNSPEC`, `TC_ACT_SHOT`
const PASS: i32 = -1;
const DROP: i32 = 2;

/// What a packet is, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packet {
    Tcp(Direction),
    Udp(Direction),
    New(Direction),
    Denied(Direction),
}

const PACKETS: [Packet; 8] = [
    Packet::Tcp(FromVm),
    Packet::Tcp(ToVm),
    Packet::Udp(FromVm),
    Packet::Udp(ToVm),
    Packet::New(FromVm),
    Packet::New(ToVm),
    Packet::Denied(FromVm),
    Packet::Denied(ToVm),
];

impl Packet {
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp(_) => "TCP of a known flow",
            Self::Udp(_) => "UDP of a known flow",
            Self::New(_) => "UDP that opens a flow",
            Self::Denied(_) => "UDP that no rule allows",
        }
    }

    const fn direction(self) -> Direction {
        let (Self::Tcp(direction) | Self::Udp(direction) | Self::New(direction) | Self::Denied(direction)) = self;
        direction
    }

    const fn is_known(self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Udp(_))
    }
}

/// A port with rules, and what each packet cost there at best.
struct Case {
    name: &'static str,
    object: Object,
    new: [Datagrams; 2],
    best: [Duration; PACKETS.len()],
}

impl Case {
    fn new(name: &'static str, group: &str, state: &str) -> Result<Self> {
        let setup = state::setup(name, &format!("security_groups = [\"{group}\"]"), state);
        let new = Direction::ALL.map(Datagrams::new_flows);
        let mut case = Self { name, object: Object::load(&setup), new, best: [Duration::MAX; PACKETS.len()] };
        for direction in Direction::ALL {
            for _ in 0..FILL {
                case.open(direction)?;
            }
        }
        Ok(case)
    }

    fn program(&self, direction: Direction) -> BorrowedFd<'_> {
        self.object.program(match direction {
            FromVm => programs::FROM_VM,
            ToVm => programs::TO_VM,
        })
    }

    /// Runs a program on a frame that it must answer so; how long a run takes.
    fn run(&self, direction: Direction, frame: &[u8], repeat: u32, verdict: i32) -> Result<Duration> {
        let (answer, took) = kernel::run(self.program(direction), frame, repeat)?;
        ensure!(answer == verdict, "{}: {direction:?} is answered {answer}, not {verdict}", self.name);
        Ok(took)
    }

    /// Opens a flow that is not known.
    fn open(&mut self, direction: Direction) -> Result<Duration> {
        let frame = self.new[direction as usize].next_frame();
        self.run(direction, &frame, 1, PASS)
    }

    /// Opens a flow and answers it.
    fn establish(&self, direction: Direction, open: &[u8], answer: &[u8]) -> Result<()> {
        let back = if direction == FromVm { ToVm } else { FromVm };
        self.run(direction, open, 1, PASS)?;
        self.run(back, answer, 1, PASS)?;
        Ok(())
    }

    fn measure(&mut self, packet: Packet, single: Duration, base: Duration) -> Result<Duration> {
        let direction = packet.direction();
        match packet {
            Packet::Tcp(_) => {
                let [open, answer, rest] = connection(direction);
                self.establish(direction, &open, &answer)?;
                self.run(direction, &rest, REPEAT, PASS)
            }
            Packet::Udp(_) => {
                let datagram = Datagrams::one_flow(direction).next_frame();
                self.establish(direction, &datagram, &Datagrams::answer(direction).next_frame())?;
                self.run(direction, &datagram, REPEAT, PASS)
            }
            Packet::Denied(_) => self.run(direction, &between(direction, udp(4000, 10, b"..")), REPEAT, DROP),
            Packet::New(_) => {
                let runs = (0..OPENED).map(|_| self.open(direction)).collect::<Result<Vec<_>>>()?;
                // A run alone has what the clock costs in it.
                Ok((middle(runs) + base).saturating_sub(single))
            }
        }
    }
}

fn between(direction: Direction, upper: ipv6_sg_tests::frame::Upper) -> Vec<u8> {
    let (source, destination) = if direction == FromVm { (VM, STRANGER) } else { (STRANGER, VM) };
    Ipv6::new(source, destination, upper).frame(direction).bytes
}

/// A connection that this direction opens: its first segment, the answer, and any that follows.
fn connection(direction: Direction) -> [Vec<u8>; 3] {
    let back = if direction == FromVm { ToVm } else { FromVm };
    [
        between(direction, tcp(40_000, TCP_PORT, SYN)),
        between(back, tcp(TCP_PORT, 40_000, SYN | ACK)),
        between(direction, tcp(40_000, TCP_PORT, ACK)),
    ]
}

/// What an empty program takes, of many runs and in a run alone.
fn nothing(empty: &OwnedFd) -> Result<[Duration; 2]> {
    let frame = between(FromVm, udp(4000, 9, b".."));
    let alone = (0..OPENED).map(|_| Ok(kernel::run(empty.as_fd(), &frame, 1)?.1)).collect::<Result<Vec<_>>>()?;
    Ok([kernel::run(empty.as_fd(), &frame, REPEAT)?.1, middle(alone)])
}

/// Measures.
///
/// # Errors
/// A packet meets another fate than it should.
pub fn measure() -> Result<(Table, Vec<Aim>)> {
    let rules = |count| {
        let [ingress, egress] = both_ways(0, count);
        group("web", &ingress, &egress)
    };
    let peers = |count| open_to(members(count));
    let mut cases = [
        ("2 rules", rules(2)),
        ("100 rules", rules(100)),
        ("10 000 rules", rules(10_000)),
        ("1 peer", peers(1)),
        ("10 000 peers", peers(10_000)),
        ("100 000 peers", peers(100_000)),
    ]
    .into_iter()
    .map(|(name, state)| Case::new(name, "web", &state))
    .collect::<Result<Vec<_>>>()?;
    let empty = kernel::empty(Kind::Tc)?;
    let mut base = [Duration::MAX; 2];
    for _ in 0..ROUNDS {
        for (best, now) in base.iter_mut().zip(nothing(&empty)?) {
            *best = (*best).min(now);
        }
        for (at, packet) in PACKETS.into_iter().enumerate() {
            for case in &mut cases {
                let took = case.measure(packet, base[1], base[0])?;
                case.best[at] = case.best[at].min(took);
            }
        }
    }

    let mut table = Table::new(["packet", "program"].into_iter().chain(cases.iter().map(|case| case.name)));
    let mut most = 0.0_f64;
    let mut widest = 0.0_f64;
    for (at, packet) in PACKETS.into_iter().enumerate() {
        let ratios: Vec<_> = cases.iter().map(|case| case.best[at].as_secs_f64() / base[0].as_secs_f64()).collect();
        if packet.is_known() {
            most = ratios.iter().copied().fold(most, f64::max);
            let least = ratios.iter().copied().reduce(f64::min).context("somebody was measured")?;
            widest = ratios.iter().map(|ratio| ratio / least - 1.0).fold(widest, f64::max);
        }
        let cells = ratios.iter().map(|ratio| format!("{ratio:.1}"));
        table.row([packet.name().to_owned(), packet.direction().name().to_owned()].into_iter().chain(cells));
    }
    let aims = vec![
        Aim::new(format!("a packet of a known flow costs at most {MOST} empty programs"), most <= MOST),
        Aim::new("and the same whatever rules and peers there are, within 10 %".to_owned(), widest <= FLAT),
    ];
    Ok((table, aims))
}
