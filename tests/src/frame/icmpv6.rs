//! ICMPv6 messages other than neighbour discovery (RFC 4443, RFC 2710, RFC 3810).

use std::net::Ipv6Addr;

use super::{Ipv6, Upper};

/// Any message with `body` behind type, code and checksum.
pub fn message(kind: u8, code: u8, body: &[u8]) -> Upper {
    Upper::icmpv6(kind, code, body)
}

/// An error of this type and code about `quoted`, as much of it as fits the minimum MTU.
pub fn error(kind: u8, code: u8, quoted: &Ipv6) -> Upper {
    error_about(kind, code, &quoted.bytes())
}

/// An error that quotes these bytes.
pub fn error_about(kind: u8, code: u8, quoted: &[u8]) -> Upper {
    let mut body = match kind {
        2 => 1280_u32.to_be_bytes().to_vec(),
        _ => vec![0; 4],
    };
    body.extend(quoted.iter().take(1280 - 48));
    message(kind, code, &body)
}

/// An echo request.
pub fn echo_request() -> Upper {
    message(128, 0, b"\x12\x34\x00\x01abcdefgh")
}

/// An echo reply.
pub fn echo_reply() -> Upper {
    message(129, 0, b"\x12\x34\x00\x01abcdefgh")
}

/// A version 1 message (query 130, report 131, done 132) about this group.
pub fn mld1(kind: u8, group: Ipv6Addr) -> Upper {
    message(kind, 0, &[&[0; 4][..], &group.octets()].concat())
}

/// A version 2 query about this group (`::`: a general query).
pub fn mld2_query(group: Ipv6Addr) -> Upper {
    message(130, 0, &[&[0x27, 0x10, 0, 0][..], &group.octets(), &[2, 125, 0, 0]].concat())
}

/// A version 2 report that joins these groups (CHANGE_TO_EXCLUDE with no source).
pub fn mld2_report(groups: &[Ipv6Addr]) -> Upper {
    let count = u16::try_from(groups.len()).expect("few groups");
    let mut body = vec![0, 0];
    body.extend(count.to_be_bytes());
    for group in groups {
        body.extend([4, 0, 0, 0]);
        body.extend(group.octets());
    }
    message(143, 0, &body)
}
