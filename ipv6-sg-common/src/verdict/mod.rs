//! What may cross a port, and why not: the policy, compiled for the kernel and for the host alike.
//!
//! [`judge`] takes one frame through the steps in the order of [`Step`]; the first that objects drops it. Nothing here
//! knows maps: what must be looked up is asked of [`Tables`].

mod action;
mod addresses;
mod dhcpv6;
mod discovery;
#[cfg(test)]
mod empty;
mod flow;
mod from_vm;
mod icmpv6;
mod layer2;
mod offload;
mod reason;
mod rules;
mod step;
mod to_vm;

pub use action::Action;
pub use flow::lifetime_ns;
pub use reason::{PerReason, Reason};
pub use step::Step;

use crate::abi::{
    Direction, FirstFragment, Flow, FlowKey, FragmentKey, PeerKey, Port, PortFlags, Selectors, Service, ServiceKey,
    Subject,
};
use crate::address::Address;
use crate::packet::icmpv6::{HEADER as ICMPV6_HEADER, Message, nd_fixed_part};
use crate::packet::{FragmentKind, Frame, Headers, IPV6_PAYLOAD, Ipv6Header, protocol, walk};

/// What the verdict on a port's packets looks up.
pub trait Tables {
    /// Whether `address` is one of the port's further addresses or in a prefix delegated to it. Asked only when the
    /// port has [`PortFlags::HAS_SOURCES`].
    fn source(&self, address: &Address) -> bool;

    /// Whether the port's network lists `address` as a router. Asked only when the port has
    /// [`PortFlags::HAS_ROUTERS`].
    fn router(&self, address: &Address) -> bool;

    /// Whether packets are remembered. Where they are not, what is asked of other packets is left to who does: later
    /// fragments, flows and rules.
    const REMEMBERS: bool = true;

    /// Remembers a first fragment that passed.
    fn remember_fragment(&self, key: &FragmentKey, first: &FirstFragment);

    /// The first fragment of this packet, if it passed and is not forgotten.
    fn first_fragment(&self, key: &FragmentKey) -> Option<FirstFragment>;

    /// The packet path's clock, nanoseconds.
    fn now_ns(&self) -> u64;

    /// The generation of the rules.
    fn generation(&self) -> u32;

    /// The flow of this key, however old.
    fn flow(&self, key: &FlowKey) -> Option<Flow>;

    /// What the flow of this key is from now on.
    fn remember_flow(&self, key: &FlowKey, flow: &Flow);

    /// The class that a ruleset puts this peer in, if it knows the peer.
    fn class(&self, peer: &PeerKey) -> Option<u32>;

    /// What such a peer may of this, if anything.
    fn service(&self, service: &ServiceKey) -> Option<Service>;
}

/// An IPv6 packet whose header chain is sound.
struct Packet<'a, F> {
    frame: &'a F,
    ip: Ipv6Header,
    headers: Headers,
}

/// A check that lets the packet go on to the next one, or ends with the reason that decides it.
type Check<T = ()> = Result<T, Reason>;

/// The verdict on `frame`, which crosses `port` in `direction`.
#[inline(always)]
pub fn judge<F: Frame, T: Tables>(direction: Direction, port: &Port, frame: &F, tables: &T) -> Reason {
    match decide(direction, port, frame, tables) {
        Ok(reason) | Err(reason) => reason,
    }
}

#[inline(always)]
fn decide<F: Frame, T: Tables>(direction: Direction, port: &Port, frame: &F, tables: &T) -> Check<Reason> {
    if port.flags.has(PortFlags::QUARANTINED) {
        return Err(Reason::Quarantined);
    }
    layer2::check(direction, port, frame)?;
    let ip = ipv6_header(frame)?;
    let headers = walk(frame, &ip)?;
    let packet = Packet { frame, ip, headers };
    let message = packet.upper_header()?;
    offload::check(direction, &packet)?;
    match direction {
        Direction::FromVm => addresses::from_vm(port, &packet, message, tables)?,
        Direction::ToVm => addresses::to_vm(port, &packet, message, tables)?,
    }
    let fragment = packet.headers.fragment;
    let key = FragmentKey::new(packet.ip.source, packet.ip.destination, fragment.identification, direction);
    if fragment.kind == FragmentKind::Later {
        return later_fragment(direction, port, &packet, &key, tables);
    }
    let reason = match direction {
        Direction::FromVm => from_vm::check(port, &packet, message, tables)?,
        Direction::ToVm => to_vm::check(port, &packet, message, tables)?,
    };
    let (ruled, first) = (port.flags.has(PortFlags::HAS_RULES), fragment.kind == FragmentKind::First);
    if reason == Reason::IcmpNeedsRule && !ruled {
        return Err(reason);
    }
    let mut reason = reason;
    let mut selectors = Selectors::default();
    // A port may get rules before a packet's later fragments come.
    if matches!(reason, Reason::Traffic | Reason::IcmpNeedsRule) && (ruled || first) && T::REMEMBERS {
        let signal;
        (selectors, signal) = rules::selectors(direction, &packet, message, reason == Reason::IcmpNeedsRule)?;
        if ruled {
            reason = rules::judge(direction, port, &packet, selectors, signal, tables)?;
        }
    } else if reason == Reason::IcmpNeedsRule {
        // A rule may name the type, and who asks the rules drops it otherwise.
        reason = Reason::Traffic;
    }
    if first {
        let (seen_ns, generation) = (tables.now_ns(), tables.generation());
        let first = FirstFragment { seen_ns, end: fragment.position, generation, selectors };
        tables.remember_fragment(&key, &first.after(tables.first_fragment(&key)));
    }
    Ok(reason)
}

#[inline(always)]
fn later_fragment<F: Frame, T: Tables>(
    direction: Direction,
    port: &Port,
    packet: &Packet<'_, F>,
    key: &FragmentKey,
    tables: &T,
) -> Check<Reason> {
    if !T::REMEMBERS {
        return Ok(Reason::Fragment);
    }
    let Some(first) = tables.first_fragment(key) else {
        return Err(Reason::FragmentUnknown);
    };
    if packet.headers.fragment.position < first.end {
        return Err(Reason::FragmentOverlap);
    }
    let ruled = port.flags.has(PortFlags::HAS_RULES) && first.selectors.subject != Subject::Exempt as u8;
    if ruled && first.generation != tables.generation() {
        return rules::later(direction, port, packet, first.selectors, tables);
    }
    Ok(Reason::Fragment)
}

#[inline(always)]
fn ipv6_header<F: Frame>(frame: &F) -> Check<Ipv6Header> {
    let Some(ip) = Ipv6Header::of(frame) else {
        return Err(Reason::Ipv6Truncated);
    };
    if ip.version != 6 {
        return Err(Reason::Ipv6Version);
    }
    if ip.payload_length == 0 && ip.next_header != protocol::NONE {
        return Err(Reason::Ipv6Jumbogram);
    }
    if IPV6_PAYLOAD + usize::from(ip.payload_length) > frame.length() {
        return Err(Reason::Ipv6PayloadLength);
    }
    Ok(ip)
}

impl<F: Frame> Packet<'_, F> {
    /// Checks that the upper-layer header is whole; returns type and code, which are
    /// [`Message::NONE`] when it is not ICMPv6 or a later fragment.
    #[inline(always)]
    fn upper_header(&self) -> Check<Message> {
        if self.headers.fragment.kind == FragmentKind::Later {
            return Ok(Message::NONE);
        }
        let wanted = match self.headers.protocol {
            protocol::TCP => 20,
            protocol::UDP => 8,
            protocol::ICMPV6 => ICMPV6_HEADER,
            _ => 0,
        };
        let truncated = self.headers.truncated(Reason::UpperTruncated);
        if self.headers.upper_length() < wanted {
            return Err(truncated);
        }
        if self.headers.protocol != protocol::ICMPV6 {
            return Ok(Message::NONE);
        }
        let Some(message) = Message::read(self.frame, self.headers.upper) else {
            return Err(truncated);
        };
        match nd_fixed_part(message.kind) {
            Some(fixed) if self.headers.upper_length() < fixed => Err(truncated),
            _ => Ok(message),
        }
    }

    /// Whether only neighbour discovery and its kin may travel so: a link-local end, or a group on this link.
    #[inline(always)]
    fn stays_on_link(&self) -> bool {
        let destination = &self.ip.destination;
        self.ip.source.is_link_local()
            || destination.is_link_local()
            || (destination.is_multicast() && destination.multicast_scope() == crate::address::MulticastScope::Link)
    }
}
