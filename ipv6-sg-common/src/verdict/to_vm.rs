//! What may reach a VM: ND, MLD, ICMPv6, DHCPv6 and link-local rules.

use super::addresses::owns;
use super::{Check, Packet, Reason, Tables, dhcpv6, discovery, icmpv6};
use crate::abi::{Port, PortFlags};
use crate::packet::icmpv6::{Message, kind, nd_target};
use crate::packet::{Frame, protocol};

/// The verdict on a packet whose addresses may stand.
#[inline(always)]
pub(super) fn check<F: Frame, T: Tables>(
    port: &Port,
    packet: &Packet<'_, F>,
    message: Option<Message>,
    tables: &T,
) -> Check<Reason> {
    if let Some(message) = message {
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
        kind::ROUTER_ADVERTISEMENT => {
            discovery::sound(packet, message)?;
            if !packet.ip.source.is_link_local() {
                return Err(Reason::RaSource);
            }
            if port.flags.has(PortFlags::HAS_ROUTERS) && !tables.router(&packet.ip.source) {
                return Err(Reason::RaUnlisted);
            }
            discovery::options(port, packet, message)?;
            Ok(Reason::RouterAdvertisement)
        }
        kind::NEIGHBOUR_SOLICITATION => {
            discovery::sound(packet, message)?;
            let target = nd_target(packet.frame, packet.headers.upper).ok_or(Reason::UpperTruncated)?;
            if packet.ip.source.is_unspecified() && owns(port, &target, tables) {
                return Err(Reason::DadAgainstVm);
            }
            discovery::options(port, packet, message)?;
            Ok(Reason::NeighbourSolicitation)
        }
        kind::NEIGHBOUR_ADVERTISEMENT => {
            discovery::sound(packet, message)?;
            let target = nd_target(packet.frame, packet.headers.upper).ok_or(Reason::UpperTruncated)?;
            if owns(port, &target, tables) {
                return Err(Reason::NaAgainstVm);
            }
            discovery::options(port, packet, message)?;
            Ok(Reason::NeighbourAdvertisement)
        }
        kind::REDIRECT => {
            discovery::sound(packet, message)?;
            if !packet.ip.source.is_link_local() {
                return Err(Reason::RedirectSource);
            }
            if !port.flags.has(PortFlags::HAS_ROUTERS) || !tables.router(&packet.ip.source) {
                return Err(Reason::RedirectUnlisted);
            }
            discovery::options(port, packet, message)?;
            Ok(Reason::Redirect)
        }
        other => Err(icmpv6::other(other)),
    }
}
