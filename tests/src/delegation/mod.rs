//! Prefix delegation from end to end, with real programs: a relay on the router, Kea with its database, clients in VMs.
//!
//! - [`Chain`]: a pod of guarded VMs, and all of it
//! - [`Delegation`]: the relay and the server, behind any router
//! - [`Database`]: Kea's database; [`Reservations`]: what it says
//! - [`Relay`]: a relay of the tests' own, for the option that free ones do not have
//! - [`Dhclient`], [`Dhcp6c`]: what VMs ask with
//! - [`message`]: what relays and clients say; [`forged`]: what forgers do

mod chain;
mod client;
mod database;
mod dnsmasq;
pub mod forged;
mod kea;
pub mod message;
mod relay;
mod reservations;

use ipv6_sg_common::eui64;

pub use chain::Chain;
pub use client::{Dhclient, Dhcp6c, Duid};
pub use database::Database;
pub use kea::{Distrust, Identity, SERVER};
pub use relay::Relay;
pub use reservations::{Lease, Reservations};

use crate::lab::{Guest, Netns, Process};
use crate::world::ROUTER;

/// What relays clients' messages.
enum Relays {
    Own(Relay),
    Dnsmasq(#[expect(dead_code, reason = "it is killed when dropped")] Process),
}

/// A relay, and the server that it relays to. What is declared first is dropped first.
pub struct Delegation {
    relay: Relays,
    /// The server.
    pub kea: Process,
    /// Its database.
    pub database: Database,
    /// Where it is, at [`SERVER`]: beyond the router.
    pub server: Netns,
}

impl Delegation {
    /// Puts the relay on a router, whose VMs are on its `eth0`, and the server behind it.
    #[track_caller]
    pub fn start(router: &Guest, database: Database, identity: Identity, distrust: Distrust) -> Self {
        let server = Netns::new("kea");
        server.sysctl("ipv6/conf/default/accept_dad", "0");
        router.netns.ip(&format!(
            "link add eth2 type veth peer name eth0 netns {}\nlink set eth2 up\naddr add {}/64 dev eth2 nodad",
            server.name(),
            kea::ROUTER
        ));
        server.ip(&format!(
            "link set eth0 up\naddr add {SERVER}/64 dev eth0 nodad\nroute add default via {}",
            kea::ROUTER
        ));
        let kea = kea::kea(&server, &database, identity, distrust);
        let relay = match identity {
            Identity::RemoteId => Relays::Own(Relay::start(&router.netns, "eth0", ROUTER, SERVER)),
            Identity::LinkLayer => Relays::Dnsmasq(dnsmasq::dnsmasq(&router.netns, "eth0", ROUTER, SERVER)),
        };
        Self { relay, kea, database, server }
    }

    /// What the database says.
    pub const fn reservations(&self) -> Reservations<'_> {
        Reservations(&self.database)
    }

    /// How many messages the tests' own relay has forwarded.
    #[track_caller]
    pub fn forwarded(&self) -> u64 {
        match &self.relay {
            Relays::Own(relay) => relay.forwarded(),
            Relays::Dnsmasq(_) => panic!("dnsmasq does not count"),
        }
    }

    /// Has the router send each reserved prefix to its VM, by the VM's link-local address: by what is reserved, whatever the
    /// leases say, which a VM can destroy for another.
    #[track_caller]
    pub fn route(&self, router: &Guest) {
        router.netns.run("ip -6 route flush proto static");
        for (prefix, mac) in self.reservations().all() {
            let by = eui64::link_local(mac).to_ip();
            router.netns.run(&format!("ip -6 route add {prefix} via {by} dev eth0 proto static"));
        }
    }
}
