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
    let mut opens = None;
    if subject == Subject::Flow as u8 {
        let now = tables.now_ns();
        let generation = tables.generation();
        let mut cut = false;
        if let Some(flow) = tables.flow(&key)
            && flow.is_live(protocol, now)
            && let Some(after) = flow.after(direction, signal, now)
        {
            let way = if flow.opened_by(Direction::FromVm) { Direction::FromVm } else { Direction::ToVm };
            let known = flow.generation == generation && flow.cut == 0;
            // One that is cut goes on with the very packet before which its rule comes back.
            let allowed = known || allows(way, selectors.opening_number(way), false);
            // Who never spoke may not have opened it: then the rules have to allow the packet itself, as they did before.
            if known || !allowed || after.has_spoken(way) {
                // What is cut is as old as it was: only so it is over one day.
                let mut remembered = if allowed { after } else { flow };
                (remembered.generation, remembered.cut) = (generation, u8::from(!allowed));
                if remembered != flow {
                    tables.remember_flow(&key, &remembered);
                }
                if allowed {
                    return Ok(Reason::Established);
                }
            }
            // Else the next packet of who was asked would go on with what nothing allows any more.
            cut = !allowed && signal != Signal::Begins;
        }
        if selectors.open() && !cut {
            opens = Some((generation, now));
        }
    }
    let named = subject == Subject::Named as u8;
    if !allows(direction, number, named) {
        return Err(if named { Reason::IcmpNeedsRule } else { denied(direction) });
    }
    if let Some((generation, now)) = opens {
        // In mid-stream either may be who opened it. If it can be the peer, it is: where everything may leave, its connection
        // would outlive the rule that let it in.
        let mid_stream = protocol == protocol::TCP && signal != Signal::Begins;
        let opened = match direction {
            Direction::FromVm if mid_stream && allows(Direction::ToVm, local_port, false) => Direction::ToVm,
            _ => direction,
        };
        tables.remember_flow(&key, &Flow::first(direction, signal, opened, generation, now));
    }
    Ok(Reason::Allowed)
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
