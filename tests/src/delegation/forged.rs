//! What a VM may send to come by the prefix that is reserved for another one's MAC. The VM is the neighbour, the other one is
//! the VM of [`world`](crate::world).

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason::{self, *};

use super::SERVER;
use super::message::{Relayed, client, remote_id};
use crate::frame::dhcpv6::kind;
use crate::frame::extension::{atomic, destination, hop_by_hop};
use crate::frame::{Ethernet, Frame, Ipv6, Upper, dhcpv6, raw, udp};
use crate::world::{DHCP_AGENTS, NEIGHBOUR, NEIGHBOUR_LINK_LOCAL, NEIGHBOUR_MAC, VM_LINK_LOCAL, VM_MAC};

/// One try.
#[derive(Clone)]
pub struct Forgery {
    /// In words.
    pub what: &'static str,
    /// What it is dropped for: a reason for each frame.
    pub reasons: Vec<Reason>,
    /// What is sent.
    pub frames: Vec<Frame>,
    /// Whether it comes by the prefix where nobody guards.
    pub succeeds: bool,
}

/// The forger's identifier.
pub const DUID: [u8; 10] = [0, 3, 0, 1, 0x06, 0x91, 0x2a, 0x00, 0x01, 0x17];
/// The number of his association.
pub const ASSOCIATION: u32 = 7;

/// A client's message as a relay would forward it that has it from the VM.
pub fn relayed(message: &[u8]) -> Vec<u8> {
    Relayed { hops: 0, peer: NEIGHBOUR_LINK_LOCAL, message }.forward(NEIGHBOUR, &remote_id(VM_MAC))
}

/// A frame of the neighbour's.
pub fn sent(packet: &Ipv6) -> Ethernet {
    packet.ethernet(Direction::FromVm).from(NEIGHBOUR_MAC)
}

/// A datagram of the neighbour's to all relays and servers on the link.
pub fn to_agents(from: u16, message: &[u8]) -> Ipv6 {
    Ipv6::new(NEIGHBOUR_LINK_LOCAL, DHCP_AGENTS, udp(from, 547, message)).hops(1)
}

/// All of them.
pub fn forgeries() -> Vec<Forgery> {
    let solicit = client(kind::SOLICIT, &DUID, ASSOCIATION, &[]);
    let forward = relayed(&solicit);
    [relays(&forward), fragments(&forward), others(&solicit)].concat()
}

fn succeeds(what: &'static str, reason: Reason, packet: &Ipv6) -> Forgery {
    Forgery { what, reasons: vec![reason], frames: vec![sent(packet).build()], succeeds: true }
}

fn relays(forward: &[u8]) -> Vec<Forgery> {
    let unicast = |from| Ipv6::new(NEIGHBOUR, SERVER, udp(from, 547, forward));
    vec![
        succeeds("Relay-Forward to the link", Dhcpv6ServerFromVm, &to_agents(547, forward)),
        succeeds("Relay-Forward from a client's port", Dhcpv6Type, &to_agents(546, forward)),
        succeeds("Relay-Forward from any port", Dhcpv6NotClient, &to_agents(40_000, forward)),
        succeeds("Relay-Forward to the server", Dhcpv6ServerFromVm, &unicast(547)),
        succeeds("Relay-Forward to the server from a client's port", Dhcpv6NotClient, &unicast(546)),
        succeeds("Relay-Forward behind destination options", Dhcpv6Type, &{
            to_agents(546, forward).ext(destination(&[]))
        }),
        succeeds("Relay-Forward behind hop-by-hop options", Dhcpv6Type, &to_agents(546, forward).ext(hop_by_hop(&[]))),
        succeeds("Relay-Forward in an atomic fragment", Dhcpv6Type, &to_agents(546, forward).ext(atomic())),
    ]
}

const PORTS_IN_THE_SECOND: &str = "Relay-Forward in fragments, the ports in the second";

fn fragments(forward: &[u8]) -> Vec<Forgery> {
    let of = |what, packet: &Ipv6, identification, first: usize, reason| {
        let frames: Vec<_> =
            packet.fragments(identification, &[first]).iter().map(|fragment| sent(fragment).build()).collect();
        // Linux itself takes no first fragment without ports (RFC 7112).
        let succeeds = what != PORTS_IN_THE_SECOND;
        Forgery { what, reasons: vec![reason, FragmentUnknown], frames, succeeds }
    };
    let whole = to_agents(546, forward);
    // What says what it is comes in the second.
    let behind = |upper: &Upper| {
        let options = [&[17, 0, 1, 4, 0, 0, 0, 0], &upper.bytes(NEIGHBOUR_LINK_LOCAL, DHCP_AGENTS)[..]].concat();
        Ipv6::new(NEIGHBOUR_LINK_LOCAL, DHCP_AGENTS, raw(60, options)).hops(1)
    };
    let to_server = Ipv6::new(NEIGHBOUR, SERVER, udp(546, 547, forward));
    vec![
        of("Relay-Forward in fragments", &whole, 1, 48, Dhcpv6Type),
        of("Relay-Forward in fragments, the type in the second", &whole, 2, 8, FragmentHeadless),
        of(PORTS_IN_THE_SECOND, &behind(&udp(546, 547, forward)), 3, 8, FragmentHeadless),
        of("Relay-Forward to the server in fragments", &to_server, 4, 48, Dhcpv6NotClient),
    ]
}

fn others(solicit: &[u8]) -> Vec<Forgery> {
    let dropped = |what, reason, ethernet: Ethernet, succeeds| Forgery {
        what,
        reasons: vec![reason],
        frames: vec![ethernet.build()],
        succeeds,
    };
    let as_the_vm = Ipv6::new(VM_LINK_LOCAL, DHCP_AGENTS, udp(546, 547, solicit)).hops(1);
    let unicast = |source: Ipv6Addr| Ipv6::new(source, SERVER, udp(546, 547, solicit));
    let answer = |kind| Ipv6::new(NEIGHBOUR_LINK_LOCAL, VM_LINK_LOCAL, dhcpv6::server(kind));
    vec![
        dropped("Solicit from the VM's MAC and address", MacSpoofed, sent(&as_the_vm).from(VM_MAC), true),
        dropped("Solicit from the VM's address", SourcePrivacy, sent(&as_the_vm), false),
        dropped("Solicit to the server", Dhcpv6NotClient, sent(&unicast(NEIGHBOUR)), false),
        dropped("Advertise to the VM", Dhcpv6ServerFromVm, sent(&answer(kind::ADVERTISE)).to(VM_MAC), false),
        dropped("Reply to the VM", Dhcpv6ServerFromVm, sent(&answer(kind::REPLY)).to(VM_MAC), false),
    ]
}
