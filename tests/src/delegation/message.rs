//! DHCPv6 messages in as much detail as a relay, and somebody who forges them, needs (RFC 8415). Decides nothing.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;

use crate::frame::dhcpv6::kind;

/// Which option it is.
pub mod code {
    /// Client Identifier.
    pub const CLIENT_ID: u16 = 1;
    /// Server Identifier.
    pub const SERVER_ID: u16 = 2;
    /// Elapsed Time.
    pub const ELAPSED_TIME: u16 = 8;
    /// Relay Message.
    pub const RELAY_MESSAGE: u16 = 9;
    /// Identity Association for Prefix Delegation.
    pub const IA_PD: u16 = 25;
    /// IA Prefix.
    pub const IA_PREFIX: u16 = 26;
    /// Relay Agent Remote-ID (RFC 4649).
    pub const REMOTE_ID: u16 = 37;
    /// Client Link-Layer Address (RFC 6939).
    pub const CLIENT_LINK_LAYER: u16 = 79;
}

/// The enterprise number of documentation (RFC 5612): a relay puts its vendor's.
const ENTERPRISE: [u8; 4] = 32_473_u32.to_be_bytes();
/// The header of a message between relays and servers, and of one that clients send.
const RELAY_HEADER: usize = 34;
const CLIENT_HEADER: usize = 4;

/// An option.
pub fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("an option has a 16-bit length");
    [&code.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

/// A Relay Agent Remote-ID that is a MAC.
pub fn remote_id(mac: Mac) -> Vec<u8> {
    option(code::REMOTE_ID, &[&ENTERPRISE[..], &mac.octets].concat())
}

/// A Client Link-Layer Address: Ethernet's.
pub fn client_link_layer(mac: Mac) -> Vec<u8> {
    option(code::CLIENT_LINK_LAYER, &[&[0, 1], &mac.octets[..]].concat())
}

/// The options in a list of them, up to where it is none.
pub fn options(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let Some(([a, b, c, d], rest)) = bytes.split_first_chunk() {
        let Some((body, behind)) = rest.split_at_checked(u16::from_be_bytes([*c, *d]).into()) else { break };
        found.push((u16::from_be_bytes([*a, *b]), body));
        bytes = behind;
    }
    found
}

/// The first option of this code in a list of them.
pub fn find(bytes: &[u8], code: u16) -> Option<&[u8]> {
    options(bytes).into_iter().find_map(|(other, body)| (other == code).then_some(body))
}

/// A message between relays and servers.
#[derive(Clone, Copy, Debug)]
pub struct Relayed<'a> {
    /// How many relays have had it before.
    pub hops: u8,
    /// Whom it came from, or whom it goes to.
    pub peer: Ipv6Addr,
    /// What it carries.
    pub message: &'a [u8],
}

impl<'a> Relayed<'a> {
    /// Reads one.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (header, options) = bytes.split_first_chunk::<RELAY_HEADER>()?;
        let peer: [u8; 16] = header[18..].try_into().expect("16 of 34 bytes");
        let message = find(options, code::RELAY_MESSAGE)?;
        [kind::RELAY_FORWARD, kind::RELAY_REPLY].contains(&header[0]).then(|| Self {
            hops: header[1],
            peer: peer.into(),
            message,
        })
    }

    /// A Relay-Forward of it, from a relay's address on the client's link, with further options.
    pub fn forward(&self, link: Ipv6Addr, further: &[u8]) -> Vec<u8> {
        let header = [&[kind::RELAY_FORWARD, self.hops], &link.octets()[..], &self.peer.octets()].concat();
        [header, further.to_vec(), option(code::RELAY_MESSAGE, self.message)].concat()
    }
}

/// A client's message that asks for a prefix: with its identifier, the number of its association, and further options.
pub fn client(kind: u8, duid: &[u8], association: u32, further: &[u8]) -> Vec<u8> {
    let header = [&association.to_be_bytes()[..], &[0; 8]].concat();
    let options = [option(code::CLIENT_ID, duid), option(code::ELAPSED_TIME, &[0, 0]), option(code::IA_PD, &header)];
    [vec![kind, 0xab, 0xcd, 0xef], options.concat(), further.to_vec()].concat()
}

/// An option of a client's or server's message.
pub fn of(message: &[u8], code: u16) -> Option<&[u8]> {
    find(message.get(CLIENT_HEADER..)?, code)
}

/// The prefixes that a server's message delegates, for longer than no time.
pub fn delegated(message: &[u8]) -> Vec<Ipv6Net> {
    let associations = options(message.get(CLIENT_HEADER..).unwrap_or_default()).into_iter();
    let inside = associations.filter(|(code, _)| *code == code::IA_PD).filter_map(|(_, body)| body.get(12..));
    let prefixes = inside.flat_map(options).filter(|(code, _)| *code == code::IA_PREFIX);
    let prefix = |body: &[u8]| {
        let (valid, address) = (body.get(4..8)?, <[u8; 16]>::try_from(body.get(9..25)?).ok()?);
        if valid == [0; 4] { None } else { Ipv6Net::new(address.into(), body[8]).ok() }
    };
    prefixes.filter_map(|(_, body)| prefix(body)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{NEIGHBOUR_LINK_LOCAL, ROUTER, VM_MAC};

    #[test]
    fn a_relay_forward_is_read_as_it_was_written() {
        let solicit = client(kind::SOLICIT, &[0, 3, 0, 1, 2, 2, 2, 2, 2, 2], 7, &[]);
        let relayed = Relayed { hops: 1, peer: NEIGHBOUR_LINK_LOCAL, message: &solicit };
        let bytes = relayed.forward(ROUTER, &remote_id(VM_MAC));
        let read = Relayed::read(&bytes).expect("a Relay-Forward");
        assert_eq!((read.hops, read.peer, read.message), (1, NEIGHBOUR_LINK_LOCAL, &*solicit));
        let id = find(&bytes[RELAY_HEADER..], code::REMOTE_ID).expect("its Remote-ID");
        assert_eq!(id[4..], VM_MAC.octets);
        assert_eq!(of(read.message, code::CLIENT_ID), Some(&[0, 3, 0, 1, 2, 2, 2, 2, 2, 2][..]));
        assert!(Relayed::read(&bytes[..40]).is_none() && Relayed::read(&solicit).is_none());
    }

    #[test]
    fn a_delegation_that_is_taken_back_is_none() {
        let reply = |valid: u8| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0xf000, 0x10, 0, 0, 0, 0).octets();
            let prefix = [&[0, 0, 0, valid, 0, 0, 0, valid, 60], &address[..]].concat();
            let association = [vec![0; 12], option(code::IA_PREFIX, &prefix)].concat();
            [vec![kind::REPLY, 1, 2, 3], option(code::IA_PD, &association)].concat()
        };
        assert_eq!(delegated(&reply(9)), ["2001:db8:f000:10::/60".parse().expect("a prefix")]);
        assert!(delegated(&reply(0)).is_empty());
    }
}
