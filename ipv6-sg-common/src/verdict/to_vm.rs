//! What may reach a VM: ND, MLD, ICMPv6, DHCPv6 and link-local rules.

use super::addresses::owns;
use super::{Check, Packet, Reason, Tables, dhcpv6, discovery, icmpv6};
use crate::abi::{Port, PortFlags};
use crate::packet::icmpv6::{Message, kind};
use crate::packet::{Frame, protocol};

/// The verdict on a packet whose addresses may stand.
#[inline(always)]
pub(super) fn check<F: Frame, T: Tables>(
    port: &Port,
    packet: &Packet<'_, F>,
    message: Message,
    tables: &T,
) -> Check<Reason> {
    if packet.headers.protocol == protocol::ICMPV6 {
        return icmp(port, packet, message, tables);
    }
    if packet.headers.protocol == protocol::UDP && dhcpv6::to_vm(port, packet)? {
        return Ok(Reason::Dhcpv6);
    }
    if packet.stays_on_link() { Err(Reason::LinkLocalTraffic) } else { Ok(Reason::Traffic) }
}

#[inline(always)]
fn icmp<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, message: Message, tables: &T) -> Check<Reason> {
    match message.kind {
        kind::DESTINATION_UNREACHABLE..=kind::PARAMETER_PROBLEM => {
            if owns(port, &icmpv6::quoted(packet)?.source, tables) {
                Ok(Reason::IcmpError)
            } else {
                Err(Reason::ErrorForeign)
            }
        }
        kind::ECHO_REQUEST | kind::ECHO_REPLY => Ok(icmpv6::echo(port, packet)),
        kind::MLD_QUERY | kind::MLD_REPORT | kind::MLD_DONE | kind::MLD2_REPORT => icmpv6::listener(packet),
        kind::ROUTER_SOLICITATION => Err(Reason::RsToVm),
        kind::ROUTER_ADVERTISEMENT | kind::NEIGHBOUR_SOLICITATION | kind::NEIGHBOUR_ADVERTISEMENT | kind::REDIRECT => {
            discovery::sound(packet, message)?;
            let reason = match message.kind {
                kind::ROUTER_ADVERTISEMENT => router_advertisement(port, packet, tables)?,
                kind::REDIRECT => redirect(port, packet, tables)?,
                _ => about_an_address(port, packet, message, tables)?,
            };
            discovery::options(packet, message)?;
            Ok(reason)
        }
        other => icmpv6::other(other),
    }
}

#[inline(always)]
fn router_advertisement<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, tables: &T) -> Check<Reason> {
    if !packet.ip.source.is_link_local() {
        return Err(Reason::RaSource);
    }
    if port.flags.has(PortFlags::HAS_ROUTERS) && !tables.router(&packet.ip.source) {
        return Err(Reason::RaUnlisted);
    }
    Ok(Reason::RouterAdvertisement)
}

/// Only where the network lists its routers: there is no other way to tell a first hop from a neighbour.
#[inline(always)]
fn redirect<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, tables: &T) -> Check<Reason> {
    if !packet.ip.source.is_link_local() {
        return Err(Reason::RedirectSource);
    }
    if !port.flags.has(PortFlags::HAS_ROUTERS) || !tables.router(&packet.ip.source) {
        return Err(Reason::RedirectUnlisted);
    }
    Ok(Reason::Redirect)
}

/// Solicitations and advertisements: nobody else may claim, or be told of, an address of this VM.
#[inline(always)]
fn about_an_address<F: Frame, T: Tables>(
    port: &Port,
    packet: &Packet<'_, F>,
    message: Message,
    tables: &T,
) -> Check<Reason> {
    let own = owns(port, &discovery::target(packet)?, tables);
    if message.kind == kind::NEIGHBOUR_ADVERTISEMENT {
        return if own { Err(Reason::NaAgainstVm) } else { Ok(Reason::NeighbourAdvertisement) };
    }
    if own && packet.ip.source.is_unspecified() {
        return Err(Reason::DadAgainstVm);
    }
    Ok(Reason::NeighbourSolicitation)
}
