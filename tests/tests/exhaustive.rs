//! Every ICMPv6 type, both ways, link-local and global, at three hop limits, plain and behind every header that a receiver
//! looks past: against a table that is read off the policy here, not computed by the code under test.
//!
//! Each message is what an honest sender would make of it otherwise. Where two rules object at once, the table keeps the
//! order of the policy: addresses, then for neighbour discovery fragment, hop limit, and its own row from left to right.

use std::net::Ipv6Addr;

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::verdict::Action;
use ipv6_sg_common::verdict::Reason::{self, *};
use ipv6_sg_tests::frame::extension::{Extension, atomic, authentication, destination, hop_by_hop};
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire, Upper, icmpv6, nd, udp};
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::world::*;

const HOP_LIMITS: [u8; 3] = [255, 64, 1];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Link,
    Global,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrap {
    Plain,
    HopByHop,
    Destination,
    Authentication,
    Atomic,
}

impl Wrap {
    const ALL: [Self; 5] = [Self::Plain, Self::HopByHop, Self::Destination, Self::Authentication, Self::Atomic];

    fn header(self) -> Option<Extension> {
        match self {
            Self::Plain => None,
            Self::HopByHop => Some(hop_by_hop(&[])),
            Self::Destination => Some(destination(&[])),
            Self::Authentication => Some(authentication(12)),
            Self::Atomic => Some(atomic()),
        }
    }
}

/// A message of this type as an honest sender makes it.
fn message(kind: u8, direction: Direction, from: Ipv6Addr, to: Ipv6Addr) -> Upper {
    let (own_mac, target) = match direction {
        FromVm => (VM_MAC, NEIGHBOUR),
        ToVm => (ROUTER_MAC, VM),
    };
    match kind {
        // About a packet that really went the other way.
        1..=4 => icmpv6::error(kind, 0, &Ipv6::new(to, from, udp(40000, 9, &[]))),
        130..=132 => icmpv6::mld1(kind, WIDE_GROUP),
        133 => nd::rs(&[nd::slla(own_mac)]),
        134 => nd::ra(&[nd::slla(own_mac), nd::prefix(VM)]),
        135 => nd::ns(target, &[nd::slla(own_mac)]),
        136 => nd::na(from, &[nd::tlla(own_mac)]),
        137 => nd::redirect(NEIGHBOUR_LINK_LOCAL, NEIGHBOUR, &[nd::tlla(NEIGHBOUR_MAC)]),
        143 => icmpv6::mld2_report(&[WIDE_GROUP]),
        _ => icmpv6::message(kind, 0, &[0; 36]),
    }
}

/// Where an honest sender of this scope sends it.
fn ends(kind: u8, direction: Direction, scope: Scope) -> (Ipv6Addr, Ipv6Addr) {
    let (from, to) = match (direction, scope) {
        (FromVm, Scope::Link) => (VM_LINK_LOCAL, ROUTER_LINK_LOCAL),
        (FromVm, Scope::Global) => (VM, STRANGER),
        (ToVm, Scope::Link) => (ROUTER_LINK_LOCAL, VM_LINK_LOCAL),
        (ToVm, Scope::Global) => (STRANGER, VM),
    };
    let group = match (kind, scope) {
        (130..=132 | 143, Scope::Global) => WIDE_GROUP,
        (130 | 134, Scope::Link) => ALL_NODES,
        (131, Scope::Link) => WIDE_GROUP,
        (132 | 133, Scope::Link) => ALL_ROUTERS,
        (143, Scope::Link) => MLD2_ROUTERS,
        _ => to,
    };
    (from, group)
}

/// The policy. The network lists its router, which is who speaks to the VM link-local.
fn policy(kind: u8, direction: Direction, scope: Scope, hops: u8, wrap: Wrap) -> Reason {
    let discovery = |verdict| {
        if wrap == Wrap::Atomic {
            NdFragmented
        } else if hops != 255 {
            NdHopLimit
        } else {
            verdict
        }
    };
    let listeners = || {
        if hops != 1 {
            MldHopLimit
        } else if scope == Scope::Global {
            MldSource
        } else {
            Mld
        }
    };
    let on_link = |reason, beyond| if scope == Scope::Link { reason } else { beyond };
    match (kind, direction) {
        (1..=4, _) => IcmpError,
        (128 | 129, _) => Echo,
        (130, FromVm) => MldQueryFromVm,
        (130..=132 | 143, _) => listeners(),
        (133, FromVm) => discovery(on_link(RouterSolicitation, RsDestination)),
        (133, ToVm) => RsToVm,
        (134, FromVm) => RaFromVm,
        (134, ToVm) => discovery(on_link(RouterAdvertisement, RaSource)),
        (135, _) => discovery(NeighbourSolicitation),
        (136, _) => discovery(NeighbourAdvertisement),
        (137, FromVm) => RedirectFromVm,
        (137, ToVm) => discovery(on_link(Redirect, RedirectSource)),
        (138..=142 | 144..=155, _) => IcmpForbidden,
        (0 | 5..=127 | 156..=255, _) => IcmpNeedsRule,
    }
}

/// Calls `check` with every combination: what it is, which way it goes, the frame, what the policy says.
fn each(mut check: impl FnMut(&dyn Fn() -> String, Direction, &Frame, Reason)) {
    let mut count = 0;
    for kind in 0..=255 {
        for direction in Direction::ALL {
            for scope in [Scope::Link, Scope::Global] {
                let (from, to) = ends(kind, direction, scope);
                for hops in HOP_LIMITS {
                    for wrap in Wrap::ALL {
                        let packet = Ipv6::new(from, to, message(kind, direction, from, to)).hops(hops);
                        let frame = wrap.header().into_iter().fold(packet, Ipv6::ext).frame(direction);
                        let name = || format!("type {kind} {} {scope:?} hop limit {hops} {wrap:?}", direction.name());
                        check(&name, direction, &frame, policy(kind, direction, scope, hops, wrap));
                        count += 1;
                    }
                }
            }
        }
    }
    assert_eq!(count, 256 * 2 * 2 * 3 * 5);
}

#[test]
fn host_core_alone() {
    let host = Host::new(Ports::Routers.setup());
    each(|name, direction, frame, expected| {
        assert_eq!(host.judge(direction, frame), expected, "{}: {frame:?}", name());
    });
}

#[test]
fn kernel() {
    let mut object = Object::load(&Ports::Routers.setup());
    let mut counters = object.counters();
    each(|name, direction, frame, expected| {
        assert_eq!(object.tc(direction, frame), Ok(expected.action()), "{}: {frame:?}", name());
        if direction == FromVm {
            assert_eq!(object.xdp(frame), Ok(expected.action()), "{}: {frame:?}", name());
        }
        // The shield counts what it drops, tc counts everything.
        let times = if direction == FromVm && expected.action() == Action::Drop { 2 } else { 1 };
        let count = counters.direction_mut(direction).of_mut(expected);
        count.packets += times;
        count.bytes += times * frame.bytes.len() as u64;
        let seen = object.counters();
        counters.suppressed = seen.suppressed;
        assert_eq!(seen, counters, "{}: {frame:?}", name());
        while object.event().is_some() {}
    });
}
