//! Connection tracking and security-group rules: the last step, after everything that no rule can allow.
//!
//! The rules are asked when a flow opens, and again when they have changed since; else its packets cost one lookup.

use super::flow::Signal;
use super::{Check, Packet, Reason, Tables};
use crate::abi::{Direction, Flow, FlowKey, PeerKey, Port, RulesetId, Selectors, ServiceKey, Subject};
use crate::address::Address;
use crate::packet::icmpv6::{Message, kind};
use crate::packet::{Frame, protocol};

/// The VM's end of a packet, and the other.
#[inline(always)]
fn ends<F>(direction: Direction, packet: &Packet<'_, F>) -> (Address, Address) {
    match direction {
        Direction::FromVm => (packet.ip.source, packet.ip.destination),
        Direction::ToVm => (packet.ip.destination, packet.ip.source),
    }
}

/// What a packet is judged by, and what it says of its connection. `named` when only a rule that names its type allows it.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "fields are cut out of words")]
pub(super) fn selectors<F: Frame>(
    direction: Direction,
    packet: &Packet<'_, F>,
    message: Message,
    named: bool,
) -> Check<(Selectors, Signal)> {
    let protocol = packet.headers.protocol;
    let word = |at: usize| packet.frame.words::<1>(at).map(|[word]| u64::from_be(word)).ok_or(Reason::UpperTruncated);
    let upper = packet.headers.upper;
    let mut signal = Signal::Continues;
    let mut subject = Subject::Flow;
    let (number, local_port, remote_port) = match protocol {
        protocol::ICMPV6 => {
            let number = u16::from(message.kind) << 8 | u16::from(message.code);
            let request = message.kind == kind::ECHO_REQUEST;
            if named {
                subject = Subject::Named;
            } else if message.code != 0 || !(request || message.kind == kind::ECHO_REPLY) {
                subject = Subject::Single;
            }
            let from_vm = matches!(direction, Direction::FromVm);
            let asks = if request == from_vm { Direction::FromVm } else { Direction::ToVm };
            (number, asks as u16, (word(upper)? >> 16) as u16)
        }
        // Where there are eight bytes, the first four are the ports; TCP and UDP have them.
        protocol::TCP | protocol::UDP | protocol::SCTP | protocol::DCCP | protocol::UDP_LITE
            if packet.headers.upper_length() >= 8 =>
        {
            let ports = word(upper)?;
            let (from, to) = ((ports >> 48) as u16, (ports >> 32) as u16);
            if protocol == protocol::TCP {
                signal = Signal::of((word(upper + 8)? >> 16) as u8);
            }
            match direction {
                Direction::FromVm => (to, from, to),
                Direction::ToVm => (to, to, from),
            }
        }
        _ => (0, 0, 0),
    };
    Ok((Selectors { number, local_port, remote_port, protocol, subject: subject as u8 }, signal))
}

/// The verdict on a later fragment of a packet that was judged by these selectors.
#[inline(always)]
pub(super) fn later<F: Frame, T: Tables>(
    direction: Direction,
    port: &Port,
    packet: &Packet<'_, F>,
    selectors: Selectors,
    tables: &T,
) -> Check<Reason> {
    judge(direction, port, packet, selectors, Signal::Continues, tables)?;
    Ok(Reason::Fragment)
}

/// The verdict on a packet with honest addresses that is to be judged by these selectors.
#[inline(always)]
pub(super) fn judge<F: Frame, T: Tables>(
    direction: Direction,
    port: &Port,
    packet: &Packet<'_, F>,
    selectors: Selectors,
    signal: Signal,
    tables: &T,
) -> Check<Reason> {
    let (local, remote) = ends(direction, packet);
    let Selectors { number, local_port, remote_port, protocol, subject } = selectors;
    let allows =
        |way: Direction, number: u16, named: bool| allows(port.ruleset(way), &remote, protocol, number, named, tables);
    let key = FlowKey { local, remote, local_port, remote_port, protocol: u32::from(protocol) };
    let generation = tables.generation();
    let now = tables.now_ns();
    let is_of_a_flow = subject == Subject::Flow as u8;
    let mut opens = if is_of_a_flow && selectors.open() { Opens::Anew } else { Opens::Nothing };
    // A segment from the middle of a connection is of the one that was there before, however long ago.
    let resumes = protocol == protocol::TCP && signal != Signal::Begins;
    if is_of_a_flow
        && let Some(flow) = tables.flow(&key)
        && let live = flow.is_live(protocol, now)
        && (live || resumes)
    {
        let known = live && flow.generation == generation && flow.cut == 0;
        // One that is cut goes on with the very packet before which its rule comes back.
        let allowed = known || allows(flow.opener(), selectors.opening_number(flow.opener()), false);
        if !allowed {
            // It is as old as it was: only so it is over one day.
            remember(tables, &key, &flow, Flow { generation, cut: 1, ..flow });
            // Else the next packet of who was asked would go on with what nothing allows any more.
            if signal != Signal::Begins {
                opens = Opens::Nothing;
            }
        } else if let Some(after) = flow.after(direction, signal, now) {
            // Who never spoke may not have opened it: then the rules have to allow the packet itself, as they did before.
            if known || live && after.has_spoken(flow.opener()) {
                remember(tables, &key, &flow, Flow { generation, cut: 0, ..after });
                return Ok(Reason::Established);
            }
            opens = Opens::Again(flow.opener());
        } else if !flow.yields_to(direction) {
            // Whatever comes of it, nobody takes over what the other opened.
            opens = Opens::Nothing;
        }
    }
    let named = subject == Subject::Named as u8;
    if !allows(direction, number, named) {
        return Err(if named { Reason::IcmpNeedsRule } else { denied(direction) });
    }
    let opener = match opens {
        Opens::Nothing => None,
        Opens::Again(opener) => Some(opener),
        Opens::Anew => {
            // Where everything may leave, a connection of the peer that is taken to be the VM's outlives the rule that let it in.
            // So it is the peer's, if it can be.
            let other = direction.other();
            let may_be_the_others = match (signal, direction) {
                (Signal::Answers, _) | (Signal::Finishes | Signal::Continues, Direction::FromVm) => resumes,
                _ => false,
            };
            match signal {
                _ if may_be_the_others && allows(other, selectors.opening_number(other), false) => Some(other),
                Signal::Answers | Signal::Resets => None,
                Signal::Begins | Signal::Finishes | Signal::Continues => Some(direction),
            }
        }
    };
    if let Some(opener) = opener {
        tables.remember_flow(&key, &Flow::first(direction, signal, opener, generation, now));
    }
    Ok(Reason::Allowed)
}

/// What an allowed packet opens.
#[derive(Clone, Copy)]
enum Opens {
    Nothing,
    /// A flow of which nothing is known.
    Anew,
    /// One that was opened in this direction.
    Again(Direction),
}

/// Writes only what differs: not each packet costs a write to what all CPUs share.
#[inline(always)]
fn remember<T: Tables>(tables: &T, key: &FlowKey, before: &Flow, after: Flow) {
    if after != *before {
        tables.remember_flow(key, &after);
    }
}

const fn denied(direction: Direction) -> Reason {
    match direction {
        Direction::FromVm => Reason::EgressDenied,
        Direction::ToVm => Reason::IngressDenied,
    }
}

/// Whether a ruleset allows this. `named` asks for a rule that names the ICMPv6 type.
#[inline(always)]
fn allows<T: Tables>(ruleset: RulesetId, remote: &Address, protocol: u8, number: u16, named: bool, tables: &T) -> bool {
    if ruleset == RulesetId::EVERYTHING || ruleset == RulesetId::NOTHING {
        return ruleset == RulesetId::EVERYTHING && !named;
    }
    let Some(class) = tables.class(&PeerKey::address(ruleset, *remote)) else { return false };
    match tables.service(&ServiceKey::one(class, protocol, number)) {
        Some(service) => !named || service.names_type == 1,
        None => false,
    }
}
