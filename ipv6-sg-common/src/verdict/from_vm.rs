//! What a VM may send: ND, MLD, ICMPv6, DHCPv6 and link-local rules.

use super::addresses::owns;
use super::{Check, Packet, Reason, Tables, dhcpv6, discovery, icmpv6};
use crate::abi::Port;
use crate::address::Address;
use crate::packet::icmpv6::{HEADER, Message, kind};
use crate::packet::{Frame, protocol, quotes_routing_header};

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
    if packet.headers.protocol == protocol::UDP && dhcpv6::from_vm(packet)? {
        return Ok(Reason::Dhcpv6);
    }
    if packet.stays_on_link() { Err(Reason::LinkLocalTraffic) } else { Ok(Reason::Traffic) }
}

#[inline(always)]
fn icmp<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, message: Message, tables: &T) -> Check<Reason> {
    match message.kind {
        kind::DESTINATION_UNREACHABLE..=kind::PARAMETER_PROBLEM => {
            let quoted = icmpv6::quoted(packet)?;
            if quotes_routing_header(packet.frame, &quoted, packet.headers.upper + HEADER, packet.headers.end) {
                return Err(Reason::ErrorRouted);
            }
            if quoted.destination.is_multicast() || owns(port, &quoted.destination, tables) {
                Ok(Reason::IcmpError)
            } else {
                Err(Reason::ErrorForeign)
            }
        }
        kind::ECHO_REQUEST | kind::ECHO_REPLY => Ok(icmpv6::echo(port, packet)),
        kind::MLD_QUERY => Err(Reason::MldQueryFromVm),
        kind::MLD_REPORT | kind::MLD_DONE | kind::MLD2_REPORT => {
            let reason = icmpv6::listener(packet)?;
            if packet.ip.destination.is_multicast() { Ok(reason) } else { Err(Reason::MldDestination) }
        }
        kind::ROUTER_ADVERTISEMENT => Err(Reason::RaFromVm),
        kind::REDIRECT => Err(Reason::RedirectFromVm),
        kind::ROUTER_SOLICITATION | kind::NEIGHBOUR_SOLICITATION | kind::NEIGHBOUR_ADVERTISEMENT => {
            discovery::sound(packet, message)?;
            let reason = match message.kind {
                kind::ROUTER_SOLICITATION => router_solicitation(packet)?,
                kind::NEIGHBOUR_SOLICITATION => neighbour_solicitation(port, packet, tables)?,
                _ => neighbour_advertisement(port, packet, tables)?,
            };
            discovery::own_options(port, packet, message)?;
            Ok(reason)
        }
        other => icmpv6::other(other),
    }
}

#[inline(always)]
fn router_solicitation<F: Frame>(packet: &Packet<'_, F>) -> Check<Reason> {
    let to = &packet.ip.destination;
    if !to.is_link_local() && !to.is(&Address::ALL_ROUTERS) {
        return Err(Reason::RsDestination);
    }
    Ok(Reason::RouterSolicitation)
}

#[inline(always)]
fn neighbour_solicitation<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, tables: &T) -> Check<Reason> {
    let target = discovery::target(packet)?;
    if target.is_multicast() {
        return Err(Reason::NsTargetMulticast);
    }
    if packet.ip.source.is_unspecified() {
        if !owns(port, &target, tables) {
            return Err(Reason::DadForeign);
        }
        if !packet.ip.destination.is(&target.solicited_node()) {
            return Err(Reason::DadDestination);
        }
    }
    Ok(Reason::NeighbourSolicitation)
}

#[inline(always)]
fn neighbour_advertisement<F: Frame, T: Tables>(port: &Port, packet: &Packet<'_, F>, tables: &T) -> Check<Reason> {
    if !owns(port, &discovery::target(packet)?, tables) {
        return Err(Reason::NaForeign);
    }
    Ok(Reason::NeighbourAdvertisement)
}
