//! A frame in one line, for people: `explain` and `monitor` print it.
//!
//! Says what a receiver would see. Decides nothing, allocates nothing, and takes any frame however broken.

use core::fmt;

use super::icmpv6::{Message, kind, nd_target};
use super::{FragmentKind, Frame, Headers, IPV6_PAYLOAD, Ipv6Header, ethertype, protocol, walk};
use crate::mac::Mac;

/// Prints a frame as one line.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a, F>(pub &'a F);

/// Destination and source MAC; `None` when the frame ends within its Ethernet header.
pub fn macs<F: Frame>(frame: &F) -> Option<(Mac, Mac)> {
    let ([head], [tail]) = (frame.words::<1>(0)?, frame.words::<1>(6)?);
    let ([a, b, c, d, e, f, ..], [g, h, i, j, k, l, ..]) = (head.to_ne_bytes(), tail.to_ne_bytes());
    Some((Mac { octets: [a, b, c, d, e, f] }, Mac { octets: [g, h, i, j, k, l] }))
}

impl<F: Frame> fmt::Display for Summary<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = self.0;
        let Some([word]) = frame.words::<1>(6) else {
            return f.write_str("truncated Ethernet header");
        };
        if frame.tagged_beside() {
            f.write_str("VLAN-tagged, ")?;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the type is the last 16 bits")]
        match u64::from_be(word) as u16 {
            ethertype::IPV6 => ipv6(f, frame),
            ethertype::IPV4 => ipv4(f, frame),
            ethertype::ARP => f.write_str("ARP"),
            tag @ (ethertype::VLAN | ethertype::SERVICE_VLAN | ethertype::OLD_VLAN) => vlan(f, frame, tag),
            length @ ..ethertype::FIRST => write!(f, "802.3 frame with LLC, length {length}"),
            other => write!(f, "Ethernet type {other:04x}"),
        }
    }
}

fn vlan<F: Frame>(f: &mut fmt::Formatter<'_>, frame: &F, tag: u16) -> fmt::Result {
    write!(f, "VLAN-tagged ({tag:04x})")?;
    // The eight bytes that end with the tag and the type behind it.
    let Some([word]) = frame.words::<1>(10) else { return f.write_str(", truncated") };
    let word = u64::from_be(word);
    write!(f, ", VLAN {}, type {:04x} inside", word >> 16 & 0x0fff, word & 0xffff)
}

fn ipv4<F: Frame>(f: &mut fmt::Formatter<'_>, frame: &F) -> fmt::Result {
    let Some([word]) = frame.words::<1>(26) else { return f.write_str("IPv4, truncated header") };
    let [a, b, c, d, e, g, h, i] = word.to_ne_bytes();
    write!(f, "IPv4 {a}.{b}.{c}.{d} > {e}.{g}.{h}.{i}")
}

fn ipv6<F: Frame>(f: &mut fmt::Formatter<'_>, frame: &F) -> fmt::Result {
    let Some(ip) = Ipv6Header::of(frame) else { return f.write_str("IPv6, truncated header") };
    if ip.version != 6 {
        return write!(f, "IPv6 by its type, version {} by its header", ip.version);
    }
    let headers = match walk(frame, &ip) {
        Ok(headers) => headers,
        Err(_) => {
            return write!(f, "IPv6 {} > {}, next header {}, broken chain", ip.source, ip.destination, ip.next_header);
        }
    };
    if headers.fragment.kind == FragmentKind::Later {
        write!(f, "{}", Protocol(headers.protocol))?;
        return write!(
            f,
            " {} > {}, fragment at {} of packet {:08x}",
            ip.source, ip.destination, headers.fragment.position, headers.fragment.identification
        );
    }
    upper(f, frame, &ip, &headers)?;
    match headers.fragment.kind {
        FragmentKind::First => write!(f, ", first fragment of packet {:08x}", headers.fragment.identification),
        FragmentKind::Atomic => f.write_str(", atomic fragment"),
        FragmentKind::None | FragmentKind::Later if headers.upper > IPV6_PAYLOAD => {
            write!(f, ", behind {} bytes of extension headers", headers.upper - IPV6_PAYLOAD)
        }
        FragmentKind::None | FragmentKind::Later => Ok(()),
    }
}

fn upper<F: Frame>(f: &mut fmt::Formatter<'_>, frame: &F, ip: &Ipv6Header, headers: &Headers) -> fmt::Result {
    let (from, to) = (ip.source, ip.destination);
    write!(f, "{}", Protocol(headers.protocol))?;
    match headers.protocol {
        protocol::TCP | protocol::UDP => match frame.words::<1>(headers.upper) {
            Some([word]) if headers.upper_length() >= 8 => {
                let word = u64::from_be(word);
                write!(f, " {from}.{} > {to}.{}", word >> 48, word >> 32 & 0xffff)
            }
            _ => write!(f, " {from} > {to}, truncated header"),
        },
        protocol::ICMPV6 => match Message::read(frame, headers.upper) {
            Some(message) if headers.upper_length() >= 8 => {
                match name(message.kind) {
                    Some(name) => write!(f, " {name}")?,
                    None => write!(f, " type {}", message.kind)?,
                }
                if message.code != 0 {
                    write!(f, " code {}", message.code)?;
                }
                write!(f, " {from} > {to}")?;
                let about = matches!(message.kind, kind::NEIGHBOUR_SOLICITATION | kind::NEIGHBOUR_ADVERTISEMENT);
                match nd_target(frame, headers.upper) {
                    Some(target) if about && headers.upper_length() >= 24 => write!(f, " for {target}"),
                    _ => Ok(()),
                }
            }
            _ => write!(f, " {from} > {to}, truncated header"),
        },
        _ => write!(f, " {from} > {to}"),
    }
}

/// A protocol number as people know it.
struct Protocol(u8);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            protocol::ICMPV4 => "ICMPv4",
            4 => "IPv4 in IPv6",
            protocol::TCP => "TCP",
            protocol::UDP => "UDP",
            41 => "IPv6 in IPv6",
            47 => "GRE",
            50 => "ESP",
            protocol::ICMPV6 => "ICMPv6",
            protocol::NONE => "no next header",
            132 => "SCTP",
            other => return write!(f, "protocol {other}"),
        })
    }
}

/// What an ICMPv6 type is called (IANA's registry).
const fn name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        kind::DESTINATION_UNREACHABLE => "destination unreachable",
        2 => "packet too big",
        3 => "time exceeded",
        kind::PARAMETER_PROBLEM => "parameter problem",
        kind::ECHO_REQUEST => "echo request",
        kind::ECHO_REPLY => "echo reply",
        kind::MLD_QUERY => "listener query",
        kind::MLD_REPORT => "listener report",
        kind::MLD_DONE => "listener done",
        kind::ROUTER_SOLICITATION => "router solicitation",
        kind::ROUTER_ADVERTISEMENT => "router advertisement",
        kind::NEIGHBOUR_SOLICITATION => "neighbour solicitation",
        kind::NEIGHBOUR_ADVERTISEMENT => "neighbour advertisement",
        kind::REDIRECT => "redirect",
        kind::ROUTER_RENUMBERING => "router renumbering",
        139 => "node information query",
        140 => "node information response",
        141 => "inverse neighbour solicitation",
        kind::INVERSE_ADVERTISEMENT => "inverse neighbour advertisement",
        kind::MLD2_REPORT => "listener report version 2",
        kind::HOME_AGENT_DISCOVERY => "home agent discovery request",
        145 => "home agent discovery reply",
        146 => "mobile prefix solicitation",
        147 => "mobile prefix advertisement",
        148 => "certification path solicitation",
        149 => "certification path advertisement",
        151 => "multicast router advertisement",
        152 => "multicast router solicitation",
        153 => "multicast router termination",
        kind::RPL => "RPL control",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Bytes;
    use super::*;

    /// An Ethernet header of this type, then `payload`.
    fn frame(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x33, 0x33, 0, 0, 0, 1, 6, 0x7a, 0x88, 0, 0, 0x8b];
        bytes.extend(kind.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// An IPv6 packet with this payload.
    fn packet(next_header: u8, from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        bytes.extend([next_header, 255]);
        for address in [from, to] {
            bytes.extend(address.parse::<core::net::Ipv6Addr>().unwrap().octets());
        }
        bytes.extend(payload);
        frame(ethertype::IPV6, &bytes)
    }

    fn line(bytes: &[u8]) -> String {
        Summary(&Bytes::new(bytes)).to_string()
    }

    #[test]
    fn frames_as_people_know_them() {
        let target = [&[135, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x80][..], &[0; 13], &[2]].concat();
        let fragment = |offset: u16, rest: &[u8]| {
            let mut header = vec![17, 0];
            header.extend(offset.to_be_bytes());
            header.extend([0, 0, 0, 7]);
            header.extend(rest);
            packet(44, "2001:db8::1", "2001:db8::2", &header)
        };
        let udp = [2, 34, 2, 35, 0, 8, 0, 0];
        for (bytes, expected) in [
            (
                packet(58, "fe80::1", "ff02::1", &[134, 0, 0, 0, 64, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0]),
                "ICMPv6 router advertisement fe80::1 > ff02::1",
            ),
            (
                packet(58, "fe80::1", "ff02::1:ff00:2", &target),
                "ICMPv6 neighbour solicitation fe80::1 > ff02::1:ff00:2 for fe80::2",
            ),
            (
                packet(58, "fe80::1", "ff02::1:ff00:2", target.get(..16).unwrap()),
                "ICMPv6 neighbour solicitation fe80::1 > ff02::1:ff00:2",
            ),
            (
                packet(58, "2001:db8::1", "2001:db8::2", &[1, 4, 0, 0, 0, 0, 0, 0]),
                "ICMPv6 destination unreachable code 4 2001:db8::1 > 2001:db8::2",
            ),
            (packet(58, "2001:db8::1", "2001:db8::2", &[200; 8]), "ICMPv6 type 200 code 200 2001:db8::1 > 2001:db8::2"),
            (packet(58, "2001:db8::1", "2001:db8::2", &[1, 0]), "ICMPv6 2001:db8::1 > 2001:db8::2, truncated header"),
            (packet(17, "fe80::1", "ff02::1:2", &udp), "UDP fe80::1.546 > ff02::1:2.547"),
            (packet(6, "2001:db8::1", "2001:db8::2", &[0; 7]), "TCP 2001:db8::1 > 2001:db8::2, truncated header"),
            (packet(59, "2001:db8::1", "2001:db8::2", &[]), "no next header 2001:db8::1 > 2001:db8::2"),
            (packet(253, "2001:db8::1", "2001:db8::2", &[]), "protocol 253 2001:db8::1 > 2001:db8::2"),
            (
                packet(60, "2001:db8::1", "2001:db8::2", &[&[17, 0, 1, 4, 0, 0, 0, 0][..], &udp].concat()),
                "UDP 2001:db8::1.546 > 2001:db8::2.547, behind 8 bytes of extension headers",
            ),
            (
                packet(60, "2001:db8::1", "2001:db8::2", &[17, 9, 1, 4, 0, 0, 0, 0]),
                "IPv6 2001:db8::1 > 2001:db8::2, next header 60, broken chain",
            ),
            (fragment(0, &udp), "UDP 2001:db8::1.546 > 2001:db8::2.547, atomic fragment"),
            (fragment(1, &udp), "UDP 2001:db8::1.546 > 2001:db8::2.547, first fragment of packet 00000007"),
            (fragment(1448, &udp), "UDP 2001:db8::1 > 2001:db8::2, fragment at 1448 of packet 00000007"),
            (frame(0x86dd, &[0x60; 39]), "IPv6, truncated header"),
            (frame(0x86dd, &[0x45; 40]), "IPv6 by its type, version 4 by its header"),
            (
                frame(0x0800, &[&[0x45][..], &[0; 11], &[192, 0, 2, 1, 192, 0, 2, 2]].concat()),
                "IPv4 192.0.2.1 > 192.0.2.2",
            ),
            (frame(0x0800, &[0x45; 19]), "IPv4, truncated header"),
            (frame(0x0806, &[]), "ARP"),
            (frame(0x8100, &[0x20, 5, 0x86, 0xdd]), "VLAN-tagged (8100), VLAN 5, type 86dd inside"),
            (frame(0x88a8, &[0x20, 5, 0x86]), "VLAN-tagged (88a8), truncated"),
            (frame(0x0026, &[]), "802.3 frame with LLC, length 38"),
            (frame(0x88cc, &[]), "Ethernet type 88cc"),
            (vec![0; 13], "truncated Ethernet header"),
        ] {
            assert_eq!(line(&bytes), expected);
        }
        let bytes = frame(0x0806, &[]);
        let tagged = Bytes { tagged_beside: true, ..Bytes::new(&bytes) };
        assert_eq!(Summary(&tagged).to_string(), "VLAN-tagged, ARP");
    }

    #[test]
    fn both_macs() {
        let bytes = frame(0x0806, &[]);
        let (destination, source) = macs(&Bytes::new(&bytes)).unwrap();
        assert_eq!(
            (destination.to_string(), source.to_string()),
            ("33:33:00:00:00:01".into(), "06:7a:88:00:00:8b".into())
        );
        assert_eq!(macs(&Bytes::new(bytes.get(..13).unwrap())), None);
    }

    proptest! {
        #[test]
        fn any_bytes_make_one_line(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            next_header in prop::sample::select(vec![0u8, 6, 17, 43, 44, 51, 58, 60]),
            cut in 0usize..260,
        ) {
            let whole = packet(next_header, "fe80::1", "ff02::1", &bytes);
            for bytes in [bytes.as_slice(), whole.get(..cut).unwrap_or(&whole)] {
                let line = line(bytes);
                prop_assert!(!line.is_empty() && !line.contains('\n'));
            }
        }
    }
}
