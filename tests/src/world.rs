//! Who is there in the tests: a VM behind its port, the router of its network, a neighbour, a stranger far away.
//!
//! The VM's addresses are written out, not computed: what computes them is under test.

use std::net::Ipv6Addr;

use ipv6_sg::compile::PortRules;
use ipv6_sg_common::abi::{Port, PortFlags};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::eui64;
use ipv6_sg_common::mac::Mac;

use crate::state;

const fn mac(octets: [u8; 6]) -> Mac {
    Mac { octets }
}

/// The VM.
pub const VM_MAC: Mac = mac([0x06, 0x7a, 0x88, 0x00, 0x00, 0x8b]);
/// Its link-local address.
pub const VM_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x047a, 0x88ff, 0xfe00, 0x008b);
/// Its address by SLAAC, of the vectors in the policy.
pub const VM: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0x047a, 0x88ff, 0xfe00, 0x008b);
/// The solicited-node group of both.
pub const VM_SOLICITED: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0x008b);
/// An address in the VM's /64 that is not the VM's: what a guest with privacy extensions makes up.
pub const VM_PRIVACY: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0x5c1f, 0x9e02, 0x77aa, 0x3d41);

/// Its addresses in the second to fourth /64, on the port [`Ports::Several`].
pub const VM_SECOND: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x200, 0, 0x047a, 0x88ff, 0xfe00, 0x008b);
/// See [`VM_SECOND`].
pub const VM_THIRD: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x300, 0, 0x047a, 0x88ff, 0xfe00, 0x008b);
/// See [`VM_SECOND`]; one more than a port holds inline.
pub const VM_FOURTH: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x400, 0, 0x047a, 0x88ff, 0xfe00, 0x008b);

/// A further single address of the VM, on the port [`Ports::Delegated`].
pub const EXTRA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x100);
/// The first address of the /60 delegated there.
pub const DELEGATED_FIRST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf000, 0x10, 0, 0, 0, 0);
/// The last address of that /60.
pub const DELEGATED_LAST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf000, 0x1f, 0xffff, 0xffff, 0xffff, 0xffff);
/// Just before that /60.
pub const DELEGATED_BEFORE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf000, 0x0f, 0xffff, 0xffff, 0xffff, 0xffff);
/// Just after that /60.
pub const DELEGATED_AFTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf000, 0x20, 0, 0, 0, 0);
/// In the second delegation, a /127.
pub const DELEGATED_PAIR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf100, 0, 0, 0, 0, 0x3);
/// Just after that /127.
pub const DELEGATED_PAIR_AFTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xf100, 0, 0, 0, 0, 0x4);

/// The network's router.
pub const ROUTER_MAC: Mac = mac([0x02, 0x0c, 0xdb, 0xf9, 0xcf, 0x00]);
/// Its link-local address, listed on the port [`Ports::Routers`].
pub const ROUTER_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x000c, 0xdbff, 0xfef9, 0xcf00);
/// Its global address.
pub const ROUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0x000c, 0xdbff, 0xfef9, 0xcf00);

/// Another VM on the same link.
pub const NEIGHBOUR_MAC: Mac = mac([0x06, 0x91, 0x2a, 0x00, 0x01, 0x17]);
/// Its link-local address.
pub const NEIGHBOUR_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0491, 0x2aff, 0xfe00, 0x0117);
/// Its global address.
pub const NEIGHBOUR: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0x0491, 0x2aff, 0xfe00, 0x0117);
/// The solicited-node group of both.
pub const NEIGHBOUR_SOLICITED: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0x0117);

/// Somebody beyond the router.
pub const STRANGER: Ipv6Addr = Ipv6Addr::new(0x2a00, 0xf10, 0x121, 0xb00, 0x0434, 0xa0ff, 0xfe00, 0x1bc7);

/// `::`
pub const UNSPECIFIED: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
/// `ff02::1`
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// `ff02::2`
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// `ff02::16`, where MLDv2 reports go.
pub const MLD2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
/// `ff02::1:2`
pub const DHCP_AGENTS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// A group that routers forward.
pub const WIDE_GROUP: Ipv6Addr = Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 0, 0x101);

/// A port and what the tables hold for it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What it is, for messages.
    pub name: &'static str,
    /// The port.
    pub port: Port,
    /// Prefixes and lengths in the source map.
    pub sources: Vec<(Address, u8)>,
    /// Listed routers.
    pub routers: Vec<Address>,
    /// What its security groups let through, if it has any.
    pub rules: Option<PortRules>,
}

/// Which [`Setup`] a case runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ports {
    /// One /64.
    Plain,
    /// No /64 at all: the link-local address only.
    Bare,
    /// Four /64s, one more than fit inline.
    Several,
    /// One /64, a further address, a delegated /60 and a delegated /127.
    Delegated,
    /// One /64, and the network lists its router.
    Routers,
    /// One /64, IPv4 and ARP dropped.
    NoIpv4,
    /// One /64, echo beyond the link judged by rules.
    EchoRules,
    /// One /64, in a group with rules for what comes in: everything may go out.
    Ruled,
    /// One /64, in a group with rules for what goes out, echo included: nothing may come in.
    RuledOut,
    /// State not yet there.
    Quarantined,
}

/// The group of [`Ports::Ruled`]. What it names of ICMPv6 is not always its to allow.
const INGRESS: &str = r#"
[security_group.web]
ingress = [
  { protocol = "tcp", ports = "22", peers = ["::/0"] },
  { protocol = "udp", ports = "5000-5010", peers = ["2001:db8:100::/64"] },
  { protocol = 47, peers = ["2001:db8:100::/64"] },
  { protocol = "icmpv6", type = 200, peers = ["::/0"] },
  { protocol = "icmpv6", type = 139, peers = ["::/0"] },
]
"#;

/// The group of [`Ports::RuledOut`].
const EGRESS: &str = r#"
[security_group.client]
egress = [
  { protocol = "tcp", ports = "443", peers = ["::/0"] },
  { protocol = "udp", ports = "53", peers = ["::/0"] },
  { protocol = "icmpv6", type = 128, code = 0, peers = ["2000::/3"] },
  { protocol = "icmpv6", type = 200, code = 1, peers = ["2a00::/16"] },
]
"#;

impl Ports {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Plain,
        Self::Bare,
        Self::Several,
        Self::Delegated,
        Self::Routers,
        Self::NoIpv4,
        Self::EchoRules,
        Self::Ruled,
        Self::RuledOut,
        Self::Quarantined,
    ];

    /// The port and its tables.
    pub fn setup(self) -> Setup {
        let port = |flags, prefixes: &[u16]| {
            let mut port = Port::new(VM_MAC, flags);
            for (slot, prefix) in port.slaac.iter_mut().zip(prefixes) {
                *slot = eui64::slaac(Ipv6Addr::new(0x2001, 0xdb8, *prefix, 0, 0, 0, 0, 0).into(), VM_MAC);
            }
            port
        };
        let setup = |name, port| Setup { name, port, sources: Vec::new(), routers: Vec::new(), rules: None };
        let one = |name, flags| setup(name, port(flags, &[0x100]));
        match self {
            Self::Plain => one("plain", PortFlags::default()),
            Self::Bare => setup("bare", port(PortFlags::default(), &[])),
            Self::Several => Setup {
                sources: vec![(VM_FOURTH.into(), 128)],
                ..setup("several", port(PortFlags::HAS_SOURCES, &[0x100, 0x200, 0x300]))
            },
            Self::Delegated => Setup {
                sources: vec![
                    (EXTRA.into(), 128),
                    (DELEGATED_FIRST.into(), 60),
                    (Ipv6Addr::new(0x2001, 0xdb8, 0xf100, 0, 0, 0, 0, 2).into(), 127),
                ],
                ..one("delegated", PortFlags::HAS_SOURCES)
            },
            Self::Routers => {
                Setup { routers: vec![ROUTER_LINK_LOCAL.into()], ..one("routers", PortFlags::HAS_ROUTERS) }
            }
            Self::NoIpv4 => one("no_ipv4", PortFlags::IPV4_DROP),
            Self::EchoRules => one("echo_rules", PortFlags::ECHO_RULES),
            Self::Ruled => state::setup("ruled", "security_groups = [\"web\"]", INGRESS),
            Self::RuledOut => state::setup("ruled_out", "security_groups = [\"client\"]\necho = \"rules\"", EGRESS),
            Self::Quarantined => one("quarantined", PortFlags::QUARANTINED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_the_ports() {
        let port = Ports::Several.setup().port;
        assert_eq!(port.link_local.to_ip(), VM_LINK_LOCAL);
        assert_eq!(port.slaac.map(Address::to_ip), [VM, VM_SECOND, VM_THIRD]);
        assert_eq!(Address::from(VM).solicited_node().to_ip(), VM_SOLICITED);
    }
}
