//! A VM: a namespace with one interface, whose other end is a port of the hypervisor's bridge.

use std::net::Ipv6Addr;

use ipv6_sg_common::mac::Mac;

use super::{Netns, Wire};

/// Whether the guest's kernel speaks IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ip {
    /// As it comes.
    Kernel,
    /// Not at all: whatever is on the wire, the test has sent.
    Silent,
}

/// A VM. Its interface is `eth0`.
pub struct Guest {
    /// Its namespace.
    pub netns: Netns,
    /// Its port on the hypervisor.
    pub port: String,
    /// Its MAC.
    pub mac: Mac,
}

impl Guest {
    /// A guest whose interface is still to be made.
    pub(super) fn new(port: &str, mac: Mac, ip: Ip) -> Self {
        let netns = Netns::new(port);
        if ip == Ip::Silent {
            netns.sysctl("ipv6/conf/default/disable_ipv6", "1");
        }
        Self { netns, port: port.to_owned(), mac }
    }

    /// Whether its kernel has this address, and duplicate address detection is done with it.
    #[track_caller]
    pub fn has(&self, address: Ipv6Addr) -> bool {
        let text = self.netns.run("ip -6 -oneline address show dev eth0 -tentative");
        text.contains(&format!(" {address}/"))
    }

    /// Whether its kernel sends by this router what is not on the link.
    #[track_caller]
    pub fn routes_by(&self, router: Ipv6Addr) -> bool {
        self.netns.run("ip -6 route show default").contains(&format!("via {router} "))
    }

    /// A wire on its interface.
    pub fn wire(&self) -> Wire {
        Wire::open(&self.netns, "eth0")
    }
}
