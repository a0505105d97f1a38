//! Single values as people write them. Each function says what is wrong with a text that is none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::mac::Mac;

use super::{Icmpv6, Peer, PortRange, Problem, Traffic};

/// `IFNAMSIZ` of the kernel, less its final zero.
const INTERFACE_BYTES: usize = 15;

/// Addresses that no port can be given, each with its name.
const UNUSABLE: [(Ipv6Addr, u8, &str); 5] = [
    (Ipv6Addr::UNSPECIFIED, 128, "the unspecified address (::)"),
    (Ipv6Addr::LOCALHOST, 128, "the loopback address (::1)"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "the IPv4-mapped addresses (::ffff:0:0/96)"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "the link-local addresses (fe80::/10)"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "the multicast addresses (ff00::/8)"),
];

/// The MAC of a VM's interface.
///
/// # Errors
/// Not a MAC, a group address, or zero.
pub fn mac(text: &str) -> Result<Mac, Problem> {
    let mac: Mac = text.parse().map_err(|_| Problem::NotAMac)?;
    if mac.is_multicast() {
        return Err(Problem::UnusableMac("its first octet is odd: a group address"));
    }
    if mac.number() == 0 {
        return Err(Problem::UnusableMac("all zero"));
    }
    Ok(mac)
}

/// One IPv6 address, whatever its kind.
///
/// # Errors
/// Not an address, or IPv4.
pub fn any_address(text: &str) -> Result<Address, Problem> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(Address::from_ip(address));
    }
    Err(if text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv4Net>().is_ok() {
        Problem::Ipv4
    } else if text.parse::<Ipv6Net>().is_ok() {
        Problem::PrefixForAddress
    } else {
        Problem::NotAnAddress
    })
}

/// An address that a port may be given.
///
/// # Errors
/// Not an address, or of a kind that nobody has alone.
pub fn address(text: &str) -> Result<Address, Problem> {
    let address = any_address(text)?;
    usable(Ipv6Net::from(address.to_ip()))?;
    Ok(address)
}

/// The link-local address of a router.
///
/// # Errors
/// Not an address, or not link-local.
pub fn router(text: &str) -> Result<Address, Problem> {
    let address = any_address(text)?;
    if address.is_link_local() { Ok(address) } else { Err(Problem::RouterNotLinkLocal) }
}

/// A prefix without host bits, whatever its addresses.
///
/// # Errors
/// Not a prefix, IPv4, or host bits.
pub fn any_prefix(text: &str) -> Result<Ipv6Net, Problem> {
    let prefix = match text.parse::<IpNet>() {
        Ok(IpNet::V6(prefix)) => prefix,
        Ok(IpNet::V4(_)) => return Err(Problem::Ipv4),
        Err(_) => {
            return Err(match text.parse::<IpAddr>() {
                Ok(IpAddr::V6(address)) => Problem::NoLength(address),
                Ok(IpAddr::V4(_)) => Problem::Ipv4,
                Err(_) => Problem::NotAPrefix,
            });
        }
    };
    if prefix == prefix.trunc() { Ok(prefix) } else { Err(Problem::HostBits(prefix.trunc())) }
}

/// A prefix that may be one VM's.
///
/// # Errors
/// Not a prefix, or with addresses that nobody has alone.
pub fn prefix(text: &str) -> Result<Ipv6Net, Problem> {
    let prefix = any_prefix(text)?;
    usable(prefix)?;
    Ok(prefix)
}

/// A prefix that VMs form addresses from.
///
/// # Errors
/// As [`prefix`], or not a /64.
pub fn announced(text: &str) -> Result<Ipv6Net, Problem> {
    let prefix = any_prefix(text)?;
    if prefix.prefix_len() != 64 {
        return Err(Problem::Not64(prefix.prefix_len()));
    }
    usable(prefix)?;
    Ok(prefix)
}

fn usable(prefix: Ipv6Net) -> Result<(), Problem> {
    for (address, length, name) in UNUSABLE {
        let overlaps = match Ipv6Net::new(address, length) {
            Ok(unusable) => unusable.contains(&prefix) || prefix.contains(&unusable),
            Err(_) => false,
        };
        if overlaps {
            return Err(Problem::Unusable(name));
        }
    }
    Ok(())
}

/// The name of an interface, as the kernel allows it.
///
/// # Errors
/// Not one.
pub fn interface(text: &str) -> Result<String, Problem> {
    let fits = (1..=INTERFACE_BYTES).contains(&text.len()) && text != "." && text != "..";
    if fits && interface_characters(text) { Ok(text.to_owned()) } else { Err(Problem::NotAnInterface) }
}

/// Whether these characters may stand in the name of an interface.
pub(super) fn interface_characters(text: &str) -> bool {
    !text.chars().any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
}

/// The name of a VM, a network or a group.
///
/// # Errors
/// Not one.
pub fn name(text: &str) -> Result<String, Problem> {
    let bad = text.is_empty() || text.trim() != text || text.chars().any(char::is_control);
    if bad { Err(Problem::NotAName) } else { Ok(text.to_owned()) }
}

/// The other end of a rule: a prefix or `group:NAME`.
///
/// # Errors
/// Neither.
pub fn peer(text: &str) -> Result<Peer, Problem> {
    match text.strip_prefix("group:") {
        Some(group) => name(group).map(Peer::Group),
        None => any_prefix(text).map(Peer::Prefix),
    }
}

/// A rule's protocol, all ports or types of it.
///
/// # Errors
/// Not one.
pub fn protocol(text: &str) -> Result<Traffic, Problem> {
    Ok(match text {
        "all" => Traffic::All,
        "tcp" | "6" => Traffic::Tcp(PortRange::ALL),
        "udp" | "17" => Traffic::Udp(PortRange::ALL),
        "icmpv6" | "58" => Traffic::Icmpv6(Icmpv6::Any),
        _ => Traffic::Protocol(number(text).ok_or(Problem::NotAProtocol)?),
    })
}

/// One port, or a range of them.
///
/// # Errors
/// Neither.
pub fn ports(text: &str) -> Result<PortRange, Problem> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first).ok_or(Problem::NotPorts)?, number(last).ok_or(Problem::NotPorts)?);
    if first <= last { Ok(PortRange { first, last }) } else { Err(Problem::BackwardPorts) }
}

/// Digits only: `parse` would take a sign too.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs() {
        assert_eq!(mac("06:7a:88:00:00:8b").unwrap().to_string(), "06:7a:88:00:00:8b");
        assert_eq!(mac("06:7a:88:00:00"), Err(Problem::NotAMac));
        assert!(matches!(mac("07:7a:88:00:00:8b"), Err(Problem::UnusableMac(_))));
        assert!(matches!(mac("ff:ff:ff:ff:ff:ff"), Err(Problem::UnusableMac(_))));
        assert!(matches!(mac("00:00:00:00:00:00"), Err(Problem::UnusableMac(_))));
    }

    #[test]
    fn addresses_that_nobody_has_alone() {
        for text in ["::", "::1", "fe80::1", "febf::1", "ff02::1", "::ffff:192.0.2.1"] {
            assert!(matches!(address(text), Err(Problem::Unusable(_))), "{text}");
        }
        for text in ["::2", "2001:db8::1", "fec0::1", "fd00::1", "fe7f:ffff::", "::fffe:0:0"] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in ["::/0", "::/64", "::/128", "::1/128", "fe80::/64", "fc00::/6", "ff00::/16", "::ffff:0:0/96"] {
            assert!(matches!(prefix(text), Err(Problem::Unusable(_))), "{text}");
        }
        for text in ["2001:db8::/32", "2000::/3", "fd00::/8", "::2/127"] {
            assert!(prefix(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn prefixes() {
        assert_eq!(any_prefix("2001:db8::1/64"), Err(Problem::HostBits("2001:db8::/64".parse().unwrap())));
        assert_eq!(any_prefix("2001:db8::1"), Err(Problem::NoLength("2001:db8::1".parse().unwrap())));
        assert_eq!(any_prefix("192.0.2.0/24"), Err(Problem::Ipv4));
        assert_eq!(any_prefix("2001:db8::/129"), Err(Problem::NotAPrefix));
        assert_eq!(announced("2001:db8::/63"), Err(Problem::Not64(63)));
        assert_eq!(announced("2001:db8::/65"), Err(Problem::Not64(65)));
        assert!(announced("2001:db8:1::/64").is_ok());
        assert_eq!(any_address("2001:db8::/64"), Err(Problem::PrefixForAddress));
        assert_eq!(router("2001:db8::1"), Err(Problem::RouterNotLinkLocal));
        assert!(router("febf::1").is_ok());
    }

    #[test]
    fn interfaces() {
        for good in ["v", "vnet11", "eth0.100", "fifteen-letters", "..."] {
            assert_eq!(interface(good).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "sixteen-letters!", "a/b", "a b", "a\tb", "a:1", "äääääääää"] {
            assert_eq!(interface(bad), Err(Problem::NotAnInterface), "{bad}");
        }
    }

    #[test]
    fn what_rules_say() {
        assert_eq!(protocol("6"), protocol("tcp"));
        assert_eq!(protocol("255"), Ok(Traffic::Protocol(255)));
        for bad in ["256", "+6", "-1", "TCP", "", "icmp"] {
            assert_eq!(protocol(bad), Err(Problem::NotAProtocol), "{bad}");
        }
        assert_eq!(ports("22"), Ok(PortRange { first: 22, last: 22 }));
        assert_eq!(ports("0-65535"), Ok(PortRange::ALL));
        assert_eq!(ports("23-22"), Err(Problem::BackwardPorts));
        for bad in ["", "-", "22-", "-22", "65536", "1-2-3", "22 ", "ssh", "+22"] {
            assert_eq!(ports(bad), Err(Problem::NotPorts), "{bad}");
        }
        assert_eq!(peer("group:db"), Ok(Peer::Group("db".into())));
        assert_eq!(peer("group:"), Err(Problem::NotAName));
        assert_eq!(peer("::/0"), Ok(Peer::Prefix("::/0".parse().unwrap())));
        assert_eq!(peer("db"), Err(Problem::NotAPrefix));
    }

    #[test]
    fn names() {
        assert!(name("i-2-55-VM").is_ok() && name("web servers").is_ok());
        for bad in ["", " web", "web ", "we\nb"] {
            assert_eq!(name(bad), Err(Problem::NotAName), "{bad:?}");
        }
    }
}
