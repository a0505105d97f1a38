//! Neighbour discovery messages and their options (RFC 4861).

use std::net::Ipv6Addr;

use ipv6_sg_common::mac::Mac;

use super::Upper;

/// An option of this type; `body` is whatever follows its length, which counts units of 8 bytes.
pub fn option(kind: u8, length: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, length], body].concat()
}

/// Source link-layer address.
pub fn slla(mac: Mac) -> Vec<u8> {
    option(1, 1, &mac.octets)
}

/// Target link-layer address.
pub fn tlla(mac: Mac) -> Vec<u8> {
    option(2, 1, &mac.octets)
}

/// The nonce of enhanced duplicate address detection (RFC 7527).
pub fn nonce() -> Vec<u8> {
    option(14, 1, &[0x5e, 0x1f, 0x02, 0x77, 0x3a, 0x90])
}

/// A prefix for SLAAC.
pub fn prefix(prefix: Ipv6Addr) -> Vec<u8> {
    let lifetimes = [&86_400_u32.to_be_bytes()[..], &14_400_u32.to_be_bytes(), &[0; 4]].concat();
    option(3, 4, &[&[64, 0xc0][..], &lifetimes, &prefix.octets()].concat())
}

/// The link's MTU.
pub fn mtu(mtu: u32) -> Vec<u8> {
    option(5, 1, &[&[0, 0][..], &mtu.to_be_bytes()].concat())
}

/// A recursive DNS server.
pub fn rdnss(server: Ipv6Addr) -> Vec<u8> {
    option(25, 3, &[&[0, 0][..], &600_u32.to_be_bytes(), &server.octets()].concat())
}

fn message(kind: u8, body: &[&[u8]], options: &[Vec<u8>]) -> Upper {
    Upper::icmpv6(kind, 0, &[body.concat(), options.concat()].concat())
}

/// Router solicitation.
pub fn rs(options: &[Vec<u8>]) -> Upper {
    message(133, &[&[0; 4]], options)
}

/// Router advertisement: hop limit 64, router lifetime half an hour.
pub fn ra(options: &[Vec<u8>]) -> Upper {
    message(134, &[&[64, 0, 0x07, 0x08], &[0; 8]], options)
}

/// Neighbour solicitation.
pub fn ns(target: Ipv6Addr, options: &[Vec<u8>]) -> Upper {
    message(135, &[&[0; 4], &target.octets()], options)
}

/// Neighbour advertisement: solicited and override.
pub fn na(target: Ipv6Addr, options: &[Vec<u8>]) -> Upper {
    message(136, &[&[0x60, 0, 0, 0], &target.octets()], options)
}

/// Neighbour advertisement that nobody asked for: override only.
pub fn unsolicited_na(target: Ipv6Addr, options: &[Vec<u8>]) -> Upper {
    message(136, &[&[0x20, 0, 0, 0], &target.octets()], options)
}

/// Redirect: `destination` is better reached by `target`.
pub fn redirect(target: Ipv6Addr, destination: Ipv6Addr, options: &[Vec<u8>]) -> Upper {
    message(137, &[&[0; 4], &target.octets(), &destination.octets()], options)
}
