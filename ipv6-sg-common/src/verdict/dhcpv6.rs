//! DHCPv6 (RFC 8415): a VM is a client on its link and nothing else.

use super::{Check, Packet, Reason};
use crate::abi::Port;
use crate::address::Address;
use crate::packet::Frame;

const CLIENT_PORT: u16 = 546;
const SERVER_PORT: u16 = 547;
const UDP_HEADER: usize = 8;

/// Solicit, Request, Confirm, Renew, Rebind, Release, Decline, Information-request.
const CLIENT_MESSAGES: [u8; 8] = [1, 3, 4, 5, 6, 8, 9, 11];
/// Advertise, Reply, Reconfigure.
const SERVER_MESSAGES: [u8; 3] = [2, 7, 10];

/// Whether the datagram is a client's message; `false` when it is no DHCPv6 at all.
///
/// # Errors
/// Anything else from or to DHCPv6's server port: a VM's own Relay-Forward would make the server hand it another VM's
/// prefix, whatever the scope of the addresses.
#[inline(always)]
pub(super) fn from_vm<F: Frame>(packet: &Packet<'_, F>) -> Check<bool> {
    let (from, to) = ports(packet)?;
    if from == SERVER_PORT {
        return Err(Reason::Dhcpv6ServerFromVm);
    }
    if to != SERVER_PORT {
        return Ok(false);
    }
    if from != CLIENT_PORT || !packet.ip.source.is_link_local() || !packet.ip.destination.is(&Address::ALL_DHCP_AGENTS)
    {
        return Err(Reason::Dhcpv6NotClient);
    }
    message_is_one_of(packet, &CLIENT_MESSAGES)?;
    Ok(true)
}

/// Whether the datagram is a server's or relay's answer; `false` when it is no DHCPv6 at all.
///
/// # Errors
/// Anything else to the client port: whoever answers a client does so link-local to link-local.
#[inline(always)]
pub(super) fn to_vm<F: Frame>(port: &Port, packet: &Packet<'_, F>) -> Check<bool> {
    let (from, to) = ports(packet)?;
    if to != CLIENT_PORT {
        return Ok(false);
    }
    if from != SERVER_PORT || !packet.ip.source.is_link_local() || !packet.ip.destination.is(&port.link_local) {
        return Err(Reason::Dhcpv6NotServer);
    }
    message_is_one_of(packet, &SERVER_MESSAGES)?;
    Ok(true)
}

#[inline(always)]
fn ports<F: Frame>(packet: &Packet<'_, F>) -> Check<(u16, u16)> {
    let Some([word]) = packet.frame.words::<1>(packet.headers.upper) else {
        return Err(Reason::UpperTruncated);
    };
    let [a, b, c, d, ..] = word.to_ne_bytes();
    Ok((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

#[inline(always)]
fn message_is_one_of<F: Frame>(packet: &Packet<'_, F>, allowed: &[u8]) -> Check {
    if packet.headers.upper_length() <= UDP_HEADER {
        return Err(packet.headers.truncated(Reason::UpperTruncated));
    }
    // The eight bytes that end with the message type: they are there for every datagram that has one.
    let Some([word]) = packet.frame.words::<1>(packet.headers.upper + 1) else {
        return Err(Reason::UpperTruncated);
    };
    let [.., kind] = word.to_ne_bytes();
    let mut known = false;
    for &message in allowed {
        known |= message == kind;
    }
    if known { Ok(()) } else { Err(Reason::Dhcpv6Type) }
}
