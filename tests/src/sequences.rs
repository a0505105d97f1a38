//! Sequences that nobody thought of: few addresses, few ports and dense rules, so that flows meet each other. The same seed
//! makes the same sequences.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::time::Duration;

use ipv6_sg_common::abi::Direction;

use crate::frame::extension::fragment;
use crate::frame::{Frame, Ipv6, OnWire as _, Upper, icmpv6, raw, sctp, tcp, udp};
use crate::fuzz::{Frames, Random};
use crate::state;
use crate::world::*;

/// What happens next.
#[derive(Clone, Debug)]
pub enum Act {
    /// A frame crosses the port this way.
    Crosses(Direction, Frame),
    /// The port is this one from now on; what is remembered stays.
    Becomes(Box<Setup>),
    /// Time passes: so many times [`STEP`].
    Passes(u32),
}

/// Every lifetime is a multiple of it, and so is all time that passes in a sequence: what a kernel's clock goes on
/// meanwhile, far less than this, changes no answer.
pub const STEP: Duration = Duration::from_secs(60);

/// A source of sequences.
#[derive(Debug)]
pub struct Sequences {
    frames: Frames,
}

impl Sequences {
    /// The sequences of this seed.
    pub fn new(seed: u64) -> Self {
        Self { frames: Frames::new(seed) }
    }

    /// A port to begin with.
    pub fn setup(&mut self) -> Setup {
        setup(self.frames.random())
    }

    /// What happens next.
    pub fn act(&mut self) -> Act {
        let random = self.frames.random();
        match random.below(32) {
            0 | 1 => Act::Becomes(Box::new(setup(random))),
            2 => Act::Passes(*random.pick(&[1, 1, 2, 3, 4, 5, 9, 10, 60, 5 * 24 * 60])),
            3 | 4 => {
                let direction = *random.pick(&Direction::ALL);
                Act::Crosses(direction, self.frames.next(direction))
            }
            _ => {
                let direction = *random.pick(&Direction::ALL);
                Act::Crosses(direction, packet(random, direction).frame(direction))
            }
        }
    }
}

const OWN: [Ipv6Addr; 5] = [VM, VM, VM, EXTRA, DELEGATED_FIRST];
const PEERS: [Ipv6Addr; 4] = [STRANGER, STRANGER, NEIGHBOUR, ROUTER];
const PORTS: [u16; 3] = [22, 443, 40000];
const FLAGS: [u8; 6] = [0x02, 0x12, 0x10, 0x10, 0x11, 0x04];

fn packet(random: &mut Random, direction: Direction) -> Ipv6 {
    let (own, peer) = (*random.pick(&OWN), *random.pick(&PEERS));
    let packet = match direction {
        Direction::FromVm if random.one_in(12) => Ipv6::new(own, WIDE_GROUP, upper(random)),
        Direction::FromVm => Ipv6::new(own, peer, upper(random)),
        Direction::ToVm if random.one_in(12) => Ipv6::new(peer, WIDE_GROUP, upper(random)),
        Direction::ToVm => Ipv6::new(peer, own, upper(random)),
    };
    let identification = u32::from(random.byte() & 1);
    match random.below(8) {
        0 => packet.ext(fragment(identification, 0, true)),
        1 => packet.upper(raw(17, vec![0; 8])).ext(fragment(identification, 24, true)),
        _ => packet,
    }
}

fn upper(random: &mut Random) -> Upper {
    let (from, to) = (*random.pick(&PORTS), *random.pick(&PORTS));
    match random.below(16) {
        0..6 => {
            let flags = if random.one_in(8) { random.byte() } else { *random.pick(&FLAGS) };
            // With its data it can be a first fragment.
            tcp(from, to, flags).data(&[0; 4])
        }
        6..9 => udp(from, to, &[0; 16]),
        9 => sctp(from, to),
        10 => raw(*random.pick(&[47, 47, 253]), vec![0; 16]),
        11..15 => {
            let kind = *random.pick(&[128, 128, 129, 129, 200]);
            let code = u8::from(random.one_in(6));
            icmpv6::message(kind, code, &[0, random.byte() & 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        _ => raw(random.byte(), vec![0; 8]),
    }
}

/// A port with extra addresses or without, in groups or in none, and rules that nest.
fn setup(random: &mut Random) -> Setup {
    let mut port = String::new();
    if !random.one_in(4) {
        port += "addresses = [\"2001:db8:100::100\"]\n";
    }
    if !random.one_in(4) {
        port += "delegated = [\"2001:db8:f000:10::/60\"]\n";
    }
    if random.one_in(2) {
        port += "echo = \"rules\"\n";
    }
    port += match random.below(16) {
        0 => "",
        1 => "security_groups = []\n",
        2..6 => "security_groups = [\"one\", \"other\"]\n",
        _ => "security_groups = [\"one\"]\n",
    };
    let groups: String = ["one", "other"].into_iter().map(|name| group(random, name)).collect();
    state::setup("random", &port, &groups)
}

fn group(random: &mut Random, name: &str) -> String {
    let mut rules = |most| {
        let count = random.below(most);
        (0..count).map(|_| rule(random)).collect::<Vec<_>>().join(",\n")
    };
    let (ingress, egress) = (rules(6), rules(4));
    let member = random.pick(&PREFIXES[2..]);
    format!("[security_group.{name}]\nmembers = [\"{member}\"]\ningress = [\n{ingress}\n]\negress = [\n{egress}\n]\n")
}

/// From the outermost to the innermost; from the third on a group may have them as members.
const PREFIXES: [&str; 10] = [
    "::/0",
    "2000::/3",
    "2a00::/12",
    "2001:db8::/32",
    "2001:db8:100::/64",
    "2001:db8:100:0:491:2aff:fe00:117/128",
    "2001:db8:100:0:400::/70",
    "2a00:f10:121:b00::/64",
    "2a00:f10:121:b00:434:a0ff:fe00:1bc7/128",
    "2a00:f10:121:b00:434:a0ff:fe00:1bc6/127",
];

fn rule(random: &mut Random) -> String {
    let traffic = match random.below(12) {
        0 => r#"protocol = "all""#.to_owned(),
        1 => r#"protocol = "icmpv6""#.to_owned(),
        2..4 => {
            let (kind, code) = (random.pick(&[128, 129, 200]), random.pick(&["", ", code = 0", ", code = 1"]));
            format!(r#"protocol = "icmpv6", type = {kind}{code}"#)
        }
        4 => format!("protocol = {}", random.pick(&[47, 132, 253, 17])),
        other => {
            let protocol = if other < 10 { "tcp" } else { "udp" };
            let ports = random.pick(&["22", "443", "40000", "22-443", "443-40000", "0-65535", "23-442"]);
            format!(r#"protocol = "{protocol}", ports = "{ports}""#)
        }
    };
    // A set: a peer may not be listed twice.
    let peers: BTreeSet<_> = (0..=random.below(2))
        .map(|_| match random.below(6) {
            0 => r#""group:one""#.to_owned(),
            1 => r#""group:other""#.to_owned(),
            2 => r#""ff0e::/16""#.to_owned(),
            _ => format!("{:?}", random.pick(&PREFIXES)),
        })
        .collect();
    let peers = peers.into_iter().collect::<Vec<_>>().join(", ");
    format!("{{ {traffic}, peers = [{peers}] }}")
}
