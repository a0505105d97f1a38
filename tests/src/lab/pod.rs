//! Two guarded VMs with their kernels' own IPv6, a router with radvd, and somebody beyond it, behind a smaller link.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::eui64;
use ipv6_sg_common::verdict::{Action, Reason};

use super::{Guest, Hypervisor, Ip, Netns, Process, address, eventually, radvd};
use crate::world::{NEIGHBOUR_MAC, ROUTER, ROUTER_LINK_LOCAL, ROUTER_MAC, VM_MAC};

/// Somebody beyond the router, behind a link of 1280 bytes.
pub const BEYOND: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 2);

/// What was counted, by port.
pub type Counts = BTreeMap<(&'static str, Direction, Reason), u64>;

/// What its state says beyond interfaces, MACs and the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// Keys of the first VM's port.
    pub vm: &'a str,
    /// Keys of the second VM's port.
    pub neighbour: &'a str,
    /// Security groups.
    pub groups: &'a str,
}

/// The VMs and their world. What is declared first is dropped first.
pub struct Pod {
    _radvd: Process,
    /// What guards.
    pub daemon: Process,
    /// Behind port `vm1`, at [`VM`](crate::world::VM).
    pub vm: Guest,
    /// Behind port `vm2`.
    pub neighbour: Guest,
    /// Behind port `up0`, which nobody guards, at [`ROUTER`].
    pub router: Guest,
    /// At [`BEYOND`].
    pub beyond: Netns,
    /// What they all are on.
    pub hypervisor: Hypervisor,
}

impl Pod {
    /// The daemon guards both guests' ports before they say their first word.
    pub fn new(keys: Keys<'_>) -> Self {
        let hypervisor = Hypervisor::new();
        let router = hypervisor.guest("up0", ROUTER_MAC, Ip::Kernel);
        let beyond = Netns::new("beyond");
        router.netns.sysctl("ipv6/conf/all/forwarding", "1");
        router.netns.ip(&format!(
            "addr add {ROUTER}/64 dev eth0 nodad\n\
             link add eth1 type veth peer name eth0 netns {}\n\
             link set eth1 mtu 1280 up\n\
             addr add 2001:db8:ffff::1/64 dev eth1 nodad",
            beyond.name()
        ));
        beyond.ip(&format!(
            "link set eth0 up\naddr add {BEYOND}/64 dev eth0 nodad\nroute add default via 2001:db8:ffff::1 mtu 1280 advmss 1440"
        ));

        // State first: the port is guarded as it appears, and every packet of the guest's start meets the guard.
        let routers =
            format!("[network.pod]\nprefixes = [\"2001:db8:100::/64\"]\nrouters = [\"{ROUTER_LINK_LOCAL}\"]\n");
        hypervisor.site.state("00-network.toml", &routers);
        hypervisor.groups(keys.groups);
        hypervisor.port("vm1", VM_MAC, keys.vm);
        hypervisor.port("vm2", NEIGHBOUR_MAC, keys.neighbour);
        let daemon = hypervisor.daemon();
        let [vm, neighbour] = [("vm1", VM_MAC), ("vm2", NEIGHBOUR_MAC)].map(|(port, mac)| {
            let guest = hypervisor.guest(port, mac, Ip::Kernel);
            hypervisor.wait_guarded(port);
            guest
        });

        let radvd = radvd(&hypervisor.site, &router.netns);
        let pod = Self { _radvd: radvd, daemon, vm, neighbour, router, beyond, hypervisor };
        for guest in [&pod.vm, &pod.neighbour] {
            // Each address waits on its own for duplicate address detection.
            let link_local = eui64::link_local(guest.mac).to_ip();
            eventually("both addresses, and a default route", || {
                let addresses = guest.has(link_local) && guest.has(address(guest));
                (addresses && guest.routes_by(ROUTER_LINK_LOCAL)).then_some(())
            });
        }
        pod
    }

    /// Whatever was dropped, but for what a bridge floods: what a guest asks all routers, and what goes to a MAC that is not
    /// learnt yet.
    #[track_caller]
    pub fn dropped(&self) -> Counts {
        let mut dropped = self.counted(|reason| reason.action() == Action::Drop);
        dropped.retain(|(_, direction, reason), _| {
            *direction == Direction::FromVm || ![Reason::RsToVm, Reason::NotForThisMac].contains(reason)
        });
        dropped
    }

    /// What passed and was dropped by rules, or would be where there are any.
    #[track_caller]
    pub fn judged(&self) -> Counts {
        use Reason::{Allowed, EgressDenied, Established, IngressDenied, Traffic};
        self.counted(|reason| [Traffic, Allowed, Established, EgressDenied, IngressDenied].contains(&reason))
    }

    fn counted(&self, counts: impl Fn(Reason) -> bool) -> Counts {
        let mut counted = Counts::new();
        for port in ["vm1", "vm2"] {
            let counters = self.hypervisor.counters(port);
            for direction in Direction::ALL {
                for reason in Reason::ALL.into_iter().filter(|reason| counts(*reason)) {
                    let packets = counters.direction(direction).of(reason).packets;
                    if packets > 0 {
                        counted.insert((port, direction, reason), packets);
                    }
                }
            }
        }
        counted
    }

    /// Panics if anything was dropped, or the daemon failed at something.
    #[track_caller]
    pub fn assert_nothing_dropped(&self) {
        assert_eq!(self.dropped(), Counts::new());
        self.daemon.assert_never("ERROR");
    }

    /// Panics if anything was dropped that came from this port's VM.
    #[track_caller]
    pub fn assert_nothing_dropped_from(&self, port: &str) {
        let mut dropped = self.dropped();
        dropped.retain(|(of, direction, _), _| *of == port && *direction == Direction::FromVm);
        assert_eq!(dropped, Counts::new());
    }

    /// A path in the installation's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.hypervisor.site.path(name)
    }

    /// How many packets were counted.
    #[track_caller]
    pub fn count(&self, port: &str, direction: Direction, reason: Reason) -> u64 {
        self.hypervisor.counters(port).direction(direction).of(reason).packets
    }
}
