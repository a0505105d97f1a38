//! Frames that nobody thought of: mutated from the corpus, put together at random, and plain garbage. The same seed
//! makes the same frames.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::packet::IPV6_PAYLOAD;

use crate::corpus;
use crate::frame::extension::{self, authentication, destination, fragment, hop_by_hop, routing};
use crate::frame::{Frame, Ipv6, OnWire, Upper, dhcpv6, icmpv6, nd, raw, sctp, tcp, udp};
use crate::world::*;

/// The longest frame made here: test runs take no more than a page, with room around the frame.
const LONGEST: usize = 2048;

/// A small generator of pseudo-random numbers (splitmix64): quality is no concern, being the same everywhere is.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Less than `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("less than a usize")
    }

    /// One time in `bound`.
    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

/// A source of frames.
#[derive(Debug)]
pub struct Frames {
    random: Random,
    /// The corpus, by direction.
    seeds: [Vec<Frame>; 2],
}

impl Frames {
    /// The frames of this seed.
    pub fn new(seed: u64) -> Self {
        let seeds = Direction::ALL.map(|direction| {
            let cases = corpus::all().into_iter().filter(|case| case.direction == direction);
            let frames = cases.flat_map(|case| case.steps).map(|(frame, _)| frame);
            frames.filter(|frame| !frame.tagged_beside).collect()
        });
        Self { random: Random::new(seed), seeds }
    }

    /// The generator behind them.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// The next frame that crosses a port this way.
    pub fn next(&mut self, direction: Direction) -> Frame {
        let mut frame = match self.random.below(16) {
            0 => garbage(&mut self.random),
            1..6 => generate(&mut self.random).frame(direction),
            6 => splice(&mut self.random, &self.seeds[direction as usize]),
            // A frame of the other direction: its addresses are right, but the wrong way round.
            7 => self.random.pick(&self.seeds[1 - direction as usize]).clone(),
            _ => self.random.pick(&self.seeds[direction as usize]).clone(),
        };
        for _ in 0..self.random.below(4) {
            mutate(&mut self.random, &mut frame.bytes);
        }
        frame.bytes.truncate(LONGEST);
        frame
    }
}

fn garbage(random: &mut Random) -> Frame {
    let length = if random.one_in(4) { random.below(LONGEST) } else { random.below(128) };
    let mut bytes = random.bytes(length);
    // With a sound beginning it gets further.
    if random.one_in(2) {
        let head = Ipv6::new(VM, VM, raw(59, vec![])).frame(Direction::FromVm).bytes;
        let kept = random.below(head.len() + 1).min(length);
        bytes[..kept].copy_from_slice(&head[..kept]);
    }
    Frame::new(bytes)
}

/// The head of one frame and the tail of another.
fn splice(random: &mut Random, seeds: &[Frame]) -> Frame {
    let (head, tail) = (random.pick(seeds).bytes.clone(), random.pick(seeds).bytes.clone());
    let at = random.below(head.len().min(tail.len()));
    let mut frame = Frame::new([&head[..at], &tail[at..]].concat());
    agree(&mut frame.bytes);
    frame
}

/// Makes the payload length fit the frame.
fn agree(bytes: &mut [u8]) {
    if let Some(payload) = bytes.len().checked_sub(IPV6_PAYLOAD) {
        bytes[18..20].copy_from_slice(&u16::try_from(payload).unwrap_or(u16::MAX).to_be_bytes());
    }
}

/// Bytes that mean something somewhere: header numbers, message types, lengths, hop limits.
const TELLING: [u8; 28] =
    [0, 1, 2, 3, 4, 6, 7, 8, 17, 24, 40, 43, 44, 50, 51, 58, 59, 60, 64, 127, 128, 130, 133, 134, 135, 136, 137, 255];

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(10) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 | 3 => bytes[at] = *random.pick(&TELLING),
        4 => bytes[at] = random.byte(),
        5 => {
            bytes.truncate(at);
            if random.one_in(2) {
                agree(bytes);
            }
        }
        6 => {
            let more = random.below(40);
            let more = random.bytes(more);
            bytes.extend(more);
            if random.one_in(2) {
                agree(bytes);
            }
        }
        7 => {
            // 8 bytes more or less in the middle: headers and options move.
            if random.one_in(2) && bytes.len() > at + 8 {
                bytes.drain(at..at + 8);
            } else {
                let more = random.bytes(8);
                bytes.splice(at..at, more);
            }
            agree(bytes);
        }
        8 => {
            let address = address(random).octets();
            let at = *random.pick(&[22, 38, 62, 78]);
            if let Some(field) = bytes.get_mut(at..at + 16) {
                field.copy_from_slice(&address);
            }
        }
        _ => {
            // Within the header and what follows it, where every byte counts.
            let at = random.below(bytes.len().min(96));
            bytes[at] = *random.pick(&TELLING);
        }
    }
}

fn address(random: &mut Random) -> Ipv6Addr {
    let known = [
        VM,
        VM,
        VM,
        VM_LINK_LOCAL,
        VM_LINK_LOCAL,
        VM_SECOND,
        VM_THIRD,
        VM_FOURTH,
        VM_PRIVACY,
        VM_SOLICITED,
        EXTRA,
        DELEGATED_FIRST,
        DELEGATED_LAST,
        DELEGATED_BEFORE,
        DELEGATED_AFTER,
        DELEGATED_PAIR,
        DELEGATED_PAIR_AFTER,
        ROUTER,
        ROUTER_LINK_LOCAL,
        NEIGHBOUR,
        NEIGHBOUR_LINK_LOCAL,
        NEIGHBOUR_SOLICITED,
        STRANGER,
        STRANGER,
        UNSPECIFIED,
        Ipv6Addr::LOCALHOST,
        ALL_NODES,
        ALL_ROUTERS,
        MLD2_ROUTERS,
        DHCP_AGENTS,
        WIDE_GROUP,
    ];
    let address = *random.pick(&known);
    if random.one_in(16) { Ipv6Addr::from_bits(address.to_bits() ^ 1 << random.below(128)) } else { address }
}

/// A packet put together at random from sound parts.
fn generate(random: &mut Random) -> Ipv6 {
    let (source, target) = (address(random), address(random));
    let hops = *random.pick(&[255, 255, 255, 1, 64, 0, 254]);
    let mut packet = Ipv6::new(source, target, upper(random)).hops(hops);
    let count = if random.one_in(2) { 0 } else { random.below(10) };
    for place in 0..count {
        let header = match random.below(10) {
            0 if place == 0 => hop_by_hop(&[]),
            0 | 1 => routing(*random.pick(&[0, 2, 4]), *random.pick(&[0, 0, 0, 1])),
            2 => {
                let identification = u32::from(random.byte() & 7);
                let more = random.one_in(2);
                fragment(identification, *random.pick(&[0, 0, 0, 8, 16, 24, 32, 64, 1448, 65520]), more)
            }
            3 | 4 => authentication(4 * random.below(9)),
            5 => extension::router_alert(),
            _ => {
                let options = if random.one_in(4) { random.below(300) } else { 0 };
                destination(&vec![0; options])
            }
        };
        packet = packet.ext(header);
    }
    packet
}

fn options(random: &mut Random) -> Vec<Vec<u8>> {
    let count = if random.one_in(8) { random.below(40) } else { random.below(4) };
    let one = |random: &mut Random| match random.below(8) {
        0 | 1 => nd::slla(VM_MAC),
        2 | 3 => nd::tlla(VM_MAC),
        4 => nd::slla(NEIGHBOUR_MAC),
        5 => nd::prefix(VM),
        6 => nd::option(random.byte(), *random.pick(&[0, 1, 2, 255]), &[0; 6]),
        _ => nd::nonce(),
    };
    (0..count).map(|_| one(random)).collect()
}

fn upper(random: &mut Random) -> Upper {
    let quoted = |random: &mut Random| {
        let (from, to) = (address(random), address(random));
        Ipv6::new(from, to, udp(1, 2, &[0; 8]))
    };
    match random.below(16) {
        0 => tcp(40000, 443, 2),
        1 => udp(*random.pick(&[53, 546, 547]), *random.pick(&[53, 546, 547]), &dhcpv6::body(random.byte() & 15)),
        2 => dhcpv6::client(*random.pick(&[1, 3, 5, 11, 12])),
        3 => dhcpv6::server(*random.pick(&[2, 7, 10, 13])),
        4 => nd::rs(&options(random)),
        5 => nd::ra(&options(random)),
        6 | 7 => nd::ns(address(random), &options(random)),
        8 | 9 => nd::na(address(random), &options(random)),
        10 => nd::redirect(address(random), address(random), &options(random)),
        11 => icmpv6::error(*random.pick(&[1, 2, 3, 4]), 0, &quoted(random)),
        12 => icmpv6::mld1(*random.pick(&[130, 131, 132, 143]), WIDE_GROUP),
        13 => icmpv6::message(random.byte(), 0, &[0; 24]),
        14 => sctp(1, 2),
        _ => {
            let length = random.below(64);
            raw(random.byte(), random.bytes(length))
        }
    }
}
