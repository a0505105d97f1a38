//! A pod of guarded VMs whose router relays to a DHCPv6 server.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::thread;

use ipnet::Ipv6Net;
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Delegation, Distrust, Identity};
use crate::lab::kea::{Hosts, Release, Server};
use crate::lab::{BEYOND, Guest, Hypervisor, Keys, Pod, eventually, transfer};
use crate::world::{ROUTER, ROUTER_LINK_LOCAL};

/// All of it. What is declared first is dropped first.
pub struct Chain<'a> {
    /// The relay and the server.
    pub delegation: Delegation<'a>,
    /// The VMs, their router and the world beyond.
    pub pod: Pod,
}

impl<'a> Chain<'a> {
    /// With the system's Kea; no VM has a prefix yet.
    #[track_caller]
    pub fn new(server: &'a Server, identity: Identity, distrust: Distrust) -> Self {
        Self::of(Release::Kea2_2, server, identity, distrust)
    }

    /// The same with a release of Kea.
    #[track_caller]
    pub fn of(release: Release, server: &'a Server, identity: Identity, distrust: Distrust) -> Self {
        // Each takes seconds, most of them waiting.
        let (mut pod, hosts) = thread::scope(|scope| {
            let hosts = scope.spawn(|| Hosts::new(server, release));
            (Pod::new(Keys::default()), hosts.join().expect("a database"))
        });
        let delegation = Delegation::start(&pod.router, hosts, identity, distrust);
        pod.hypervisor.site.settings(&delegation.pool.source());
        // The next adopts what this one guards.
        pod.daemon.signal(Signal::SIGTERM);
        pod.daemon.wait();
        pod.daemon = pod.hypervisor.daemon();
        Self { delegation, pod }
    }

    /// Sees to it that a VM has so many prefixes, of which its port and the router know, and returns them.
    #[track_caller]
    pub fn allocate(&self, guest: &Guest, count: usize) -> Vec<Ipv6Net> {
        let prefixes = self.delegation.pool.allocate_to(guest, count);
        assert_eq!(prefixes.len(), count, "{prefixes:?}");
        self.apply(guest);
        prefixes
    }

    /// Takes a prefix back from a VM, its port and the router.
    #[track_caller]
    pub fn release(&self, guest: &Guest, prefix: Ipv6Net) {
        self.delegation.pool.release(guest, prefix);
        self.apply(guest);
    }

    #[track_caller]
    fn apply(&self, guest: &Guest) {
        self.permit(&self.pod.hypervisor, guest);
        self.delegation.pool.route(&self.pod.router.netns);
    }

    /// Waits until a VM's port on a hypervisor, whose daemon reads the database, knows of the VM's prefixes.
    #[track_caller]
    pub fn permit(&self, hypervisor: &Hypervisor, guest: &Guest) {
        let prefixes = self.delegation.pool.of(guest.mac).iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        hypervisor.port(&guest.port, guest.mac, "");
        eventually("the port's prefixes", || {
            let rows = hypervisor.json("ports");
            let row = rows.as_array()?.iter().find(|row| row["interface"] == *guest.port)?;
            let sources = row["sources"].as_array()?.iter().filter_map(Value::as_str);
            let held = sources.filter(|source| source.contains('/')).map(ToOwned::to_owned).collect();
            (prefixes == held).then_some(())
        });
    }

    /// Gives an address to a guest's own, where the others behind it would be.
    #[track_caller]
    pub fn take(&self, guest: &Guest, address: Ipv6Addr) {
        guest.netns.ip(&format!("addr add {address}/128 dev lo nodad"));
    }

    /// Panics unless echo and TCP come and go between an address of a guest's and the world beyond the router.
    #[track_caller]
    pub fn assert_works(&self, guest: &Guest, address: Ipv6Addr) {
        guest.netns.ip(&format!("route replace {BEYOND}/128 via {ROUTER_LINK_LOCAL} dev eth0 src {address}"));
        for (from, words) in [(&guest.netns, format!("-I {address} {ROUTER}")), (&self.pod.beyond, address.to_string())]
        {
            from.run(&format!("ping -6 -n -c 2 -i 0.05 -W 5 {words}"));
        }
        transfer(&guest.netns, address, &self.pod.beyond, 100_000);
        transfer(&self.pod.beyond, BEYOND, &guest.netns, 100_000);
    }

    /// Panics unless what a guest sends from an address dies at its port on a hypervisor, each packet counted.
    #[track_caller]
    pub fn assert_stopped(&self, hypervisor: &Hypervisor, guest: &Guest, address: Ipv6Addr) {
        let spoofed =
            || hypervisor.counters(&guest.port).direction(Direction::FromVm).of(Reason::SourceSpoofed).packets;
        let (before, wire) = (spoofed(), self.pod.router.wire());
        let line = format!("ping -6 -n -c 3 -i 0.05 -W 1 -I {address} {ROUTER}");
        assert!(!guest.netns.succeeds(&line), "{line}");
        assert_eq!(spoofed(), before + 3);
        let arrived = |frame: &Vec<u8>| frame.get(22..38) == Some(&address.octets()[..]);
        assert!(!wire.drain().iter().any(arrived), "{address} reached the router");
    }

    /// A directory of a client's, not there yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.pod.path(name)
    }
}
