//! The source set, and which addresses may stand in a packet.

use super::{Check, Packet, Reason, Tables};
use crate::abi::{Port, PortFlags};
use crate::address::{Address, MulticastScope};
use crate::packet::Frame;
use crate::packet::icmpv6::{Message, kind};

/// Whether `address` is in S(port).
#[inline(always)]
pub(super) fn owns<T: Tables>(port: &Port, address: &Address, tables: &T) -> bool {
    let [first, second, third] = &port.slaac;
    address.is(first)
        || address.is(&port.link_local)
        || address.is(second)
        || address.is(third)
        || (port.flags.has(PortFlags::HAS_SOURCES) && tables.source(address))
}

/// Addresses of a packet from the VM.
#[inline(always)]
pub(super) fn from_vm<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, message: Message, tables: &T) -> Check {
    let source = &packet.ip.source;
    if !owns(port, source, tables) && !speaks_without_address(source, message) {
        return Err(not_its_source(port, source));
    }
    destination(&packet.ip.destination)
}

/// Addresses of a packet to the VM.
#[inline(always)]
pub(super) fn to_vm<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, message: Message, tables: &T) -> Check {
    let (source, to) = (&packet.ip.source, &packet.ip.destination);
    destination(to)?;
    if !to.is_multicast() && !owns(port, to, tables) {
        return Err(Reason::NotForThisVm);
    }
    if source.is_multicast() {
        return Err(Reason::SourceMulticast);
    }
    if source.starts_with_zeros() {
        return without_prefix(source, message);
    }
    if owns(port, source, tables) {
        return Err(Reason::SourceIsThisVm);
    }
    Ok(())
}

/// A source in `::/64`: `::` from who has no address yet, else an address that no wire carries (RFC 4291 section 2.5).
#[inline(always)]
fn without_prefix(source: &Address, message: Message) -> Check {
    if source.is_loopback() {
        return Err(Reason::SourceLoopback);
    }
    if !source.is_unspecified() {
        return Err(Reason::SourceEmbedsIpv4);
    }
    match message.kind {
        kind::NEIGHBOUR_SOLICITATION | kind::MLD_QUERY | kind::MLD_REPORT | kind::MLD_DONE | kind::MLD2_REPORT => {
            Ok(())
        }
        _ => Err(Reason::SourceUnspecified),
    }
}

#[inline(always)]
fn destination(to: &Address) -> Check {
    if to.is_unspecified() {
        return Err(Reason::DestinationUnspecified);
    }
    if to.is_loopback() {
        return Err(Reason::DestinationLoopback);
    }
    if to.is_multicast() && to.multicast_scope() == MulticastScope::Reserved {
        return Err(Reason::DestinationReservedScope);
    }
    Ok(())
}

/// `::` as the source of what a node sends before it has an address.
#[inline(always)]
fn speaks_without_address(source: &Address, message: Message) -> bool {
    source.is_unspecified()
        && matches!(
            message.kind,
            kind::NEIGHBOUR_SOLICITATION
                | kind::ROUTER_SOLICITATION
                | kind::MLD_REPORT
                | kind::MLD_DONE
                | kind::MLD2_REPORT
        )
}

#[inline(always)]
fn not_its_source(port: &Port, source: &Address) -> Reason {
    let [first, second, third] = &port.slaac;
    if source.is_unspecified() {
        Reason::SourceUnspecified
    } else if source.is_multicast() {
        Reason::SourceMulticast
    } else if source.is_loopback() {
        Reason::SourceLoopback
    } else if source.same_64(&port.link_local)
        || source.same_64(first)
        || source.same_64(second)
        || source.same_64(third)
    {
        Reason::SourcePrivacy
    } else {
        Reason::SourceSpoofed
    }
}
