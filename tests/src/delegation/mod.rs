//! Prefix delegation from end to end, with real programs: a relay on the router, Kea with its database, clients in VMs.
//!
//! - [`Chain`]: a pod of guarded VMs, and all of it
//! - [`Delegation`]: the relay and the server, behind any router
//! - [`Pool`]: which VM has which prefixes
//! - [`Relay`]: a relay of the tests' own, for the option that free ones do not have
//! - [`Dhclient`], [`Dhcp6c`]: what VMs ask with
//! - [`message`]: what relays and clients say; [`forged`]: what forgers do

mod chain;
mod client;
mod dnsmasq;
pub mod forged;
mod kea;
pub mod message;
mod pool;
mod relay;

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

pub use chain::Chain;
pub use client::{Dhclient, Dhcp6c, Duid};
pub use kea::{Distrust, Identity, SERVER};
pub use pool::{Lease, Pool};
pub use relay::Relay;

use crate::lab::kea::Hosts;
use crate::lab::{Guest, Netns, Process};
use crate::world::ROUTER;

/// What relays clients' messages.
enum Relays {
    Own(Relay),
    Dnsmasq(#[expect(dead_code, reason = "it is killed when dropped")] Process),
}

/// A relay, and the server that it relays to. What is declared first is dropped first.
pub struct Delegation<'a> {
    relay: Relays,
    /// The server.
    pub kea: Process,
    /// What it answers by. Its machine is beyond the router, at [`SERVER`].
    pub pool: Pool<'a>,
}

impl<'a> Delegation<'a> {
    /// Puts the relay on a router, whose VMs are on its `eth0`, and the server behind it.
    #[track_caller]
    pub fn start(router: &Guest, hosts: Hosts<'a>, identity: Identity, distrust: Distrust) -> Self {
        let machine = Netns::new("kea");
        machine.sysctl("ipv6/conf/default/accept_dad", "0");
        router.netns.ip(&format!(
            "link add eth2 type veth peer name eth0 netns {}\nlink set eth2 up\naddr add {}/64 dev eth2 nodad",
            machine.name(),
            kea::ROUTER
        ));
        machine.ip(&format!(
            "link set eth0 up\naddr add {SERVER}/64 dev eth0 nodad\nroute add default via {}",
            kea::ROUTER
        ));
        let pool = Pool::new(hosts, machine);
        let kea = kea::kea(&pool, identity, distrust);
        let relay = match identity {
            Identity::RemoteId => Relays::Own(Relay::start(&router.netns, "eth0", ROUTER, SERVER)),
            Identity::LinkLayer => Relays::Dnsmasq(dnsmasq::dnsmasq(&router.netns, "eth0", ROUTER, SERVER)),
        };
        Self { relay, kea, pool }
    }

    /// How many messages the tests' own relay has forwarded.
    #[track_caller]
    pub fn forwarded(&self) -> u64 {
        match &self.relay {
            Relays::Own(relay) => relay.forwarded(),
            Relays::Dnsmasq(_) => panic!("dnsmasq does not count"),
        }
    }
}

/// An address in the last /64 of a prefix, with this number.
pub fn inside(prefix: Ipv6Net, number: u16) -> Ipv6Addr {
    let last = u128::from(prefix.broadcast());
    Ipv6Addr::from(last >> 64 << 64 | u128::from(number))
}
