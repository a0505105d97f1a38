//! DHCPv6 messages (RFC 8415).

use super::{Upper, udp};

/// The message types that the tests name.
pub mod kind {
    /// Solicit.
    pub const SOLICIT: u8 = 1;
    /// Advertise.
    pub const ADVERTISE: u8 = 2;
    /// Request.
    pub const REQUEST: u8 = 3;
    /// Reply.
    pub const REPLY: u8 = 7;
    /// Relay-forward.
    pub const RELAY_FORWARD: u8 = 12;
    /// Relay-reply.
    pub const RELAY_REPLY: u8 = 13;
}

/// A client's message: a DUID-LL, an elapsed time, and a request for DNS servers.
pub fn client(kind: u8) -> Upper {
    udp(546, 547, &body(kind))
}

/// A server's or relay's message.
pub fn server(kind: u8) -> Upper {
    udp(547, 546, &body(kind))
}

/// What follows the UDP header.
pub fn body(kind: u8) -> Vec<u8> {
    let mut body = vec![kind, 0xab, 0xcd, 0xef];
    body.extend([0, 1, 0, 10, 0, 3, 0, 1, 0x06, 0x7a, 0x88, 0x00, 0x00, 0x8b]);
    body.extend([0, 8, 0, 2, 0, 0]);
    body.extend([0, 6, 0, 2, 0, 23]);
    body
}

/// A relay's message that forwards a client's.
pub fn relay_forward() -> Vec<u8> {
    let mut body = vec![kind::RELAY_FORWARD, 0];
    body.extend([0; 16]);
    body.extend(crate::world::NEIGHBOUR_LINK_LOCAL.octets());
    let inner = self::body(kind::SOLICIT);
    body.extend([0, 9, 0, u8::try_from(inner.len()).expect("short")]);
    body.extend(inner);
    body
}
