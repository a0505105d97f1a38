//! A host with one VM that is measured, an uplink, and something that filters in between.

use std::fmt::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Result, ensure};
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Process, port, within};
use ipv6_sg_tests::world::{ROUTER_MAC, STRANGER, VM, VM_MAC};
use nix::net::if_::if_nametoindex;

use crate::kernel::{self, Kind};
use crate::rivals::nft::{self, Tracking};
use crate::rivals::stock;
use crate::sample::{FAR, Vm};

/// How many rules a VM has, each for both directions.
pub const RULES: u32 = 10;
/// A thousand ports take the kernel a while.
const PATIENCE: Duration = Duration::from_secs(180);
const UPLINK: &str = "uplink";

/// Who filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Nobody.
    None,
    /// Programs that look at nothing, in the guard's place.
    Empty,
    /// We do, against spoofing only.
    Spoofing,
    /// We do, with rules.
    Guard,
    /// CloudStack's rules.
    Stock,
    /// The same in nftables.
    Nft(Tracking),
}

impl Filter {
    /// For a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "no filter",
            Self::Empty => "empty programs",
            Self::Spoofing => "ipv6-sg, no rules",
            Self::Guard => "ipv6-sg",
            Self::Stock => "CloudStack's rules",
            Self::Nft(_) => "nftables",
        }
    }
}

/// What has to stay for as long as the stage is used.
enum Held {
    Nothing,
    Links { _links: [OwnedFd; 2] },
    Daemon { _daemon: Process },
}

/// The host.
pub struct Stage {
    _held: Held,
    /// Who filters.
    pub filter: Filter,
    /// How many VMs it filters for.
    pub vms: u32,
    /// The VM.
    pub guest: Guest,
    /// Who else is on the bridge.
    pub uplink: Guest,
    hypervisor: Hypervisor,
}

impl Stage {
    /// A host that filters so for so many VMs.
    ///
    /// # Errors
    /// Somebody refuses to filter.
    pub fn build(filter: Filter, vms: u32) -> Result<Self> {
        let hypervisor = Hypervisor::new();
        let guest = hypervisor.guest("vnet1", VM_MAC, Ip::Silent);
        let uplink = hypervisor.guest(UPLINK, ROUTER_MAC, Ip::Silent);
        let all = population(vms);
        let held = match filter {
            Filter::None => Held::Nothing,
            Filter::Empty => Held::Links { _links: hypervisor.netns.inside(|| nothing("vnet1"))? },
            Filter::Spoofing => {
                let port = |vm: &Vm| port(&vm.interface, vm.mac, "");
                Held::Daemon { _daemon: guard(&hypervisor, &all, port) }
            }
            Filter::Guard => Held::Daemon { _daemon: guard(&hypervisor, &all, Vm::state) },
            Filter::Stock => {
                track_in_bridge(&hypervisor);
                hypervisor.netns.inside(|| stock::program(UPLINK, &all))?;
                Held::Nothing
            }
            Filter::Nft(tracking) => {
                if tracking == Tracking::BrNetfilter {
                    track_in_bridge(&hypervisor);
                }
                hypervisor.netns.inside(|| nft::apply(&nft::text(tracking, &all)))?;
                Held::Nothing
            }
        };
        Ok(Self { _held: held, filter, vms, guest, uplink, hypervisor })
    }

    /// Gives the VM and the uplink a kernel that speaks IPv6. They know each other: nobody has to be asked.
    pub fn speak(&self) {
        for (guest, own, other, mac, route) in [
            (&self.guest, VM, STRANGER, self.uplink.mac, FAR),
            (&self.uplink, STRANGER, VM, self.guest.mac, "2001:db8:100::/64"),
        ] {
            guest.netns.sysctl("ipv6/conf/eth0/disable_ipv6", "0");
            guest.netns.ip(&format!(
                "address add {own}/128 dev eth0 nodad\nroute add {route} dev eth0\n\
                 neighbour replace {other} lladdr {mac} dev eth0 nud permanent"
            ));
        }
    }

    /// Whether the guard saw what it was to see: known flows and new ones both ways, and nothing that it denies.
    ///
    /// # Errors
    /// It was something else that was measured.
    pub fn check(&self) -> Result<()> {
        if self.filter != Filter::Guard {
            return Ok(());
        }
        let counters = self.hypervisor.counters(&self.guest.port);
        for direction in Direction::ALL {
            let seen = |reason| counters.direction(direction).of(reason).packets;
            let [known, new] = [Reason::Established, Reason::Allowed].map(seen);
            let denied = seen(Reason::EgressDenied) + seen(Reason::IngressDenied);
            ensure!(known > 0 && new > 0 && denied == 0, "{direction:?}: {known} known, {new} new, {denied} denied");
        }
        Ok(())
    }
}

/// The VM that is measured among the others: half of them come before it.
fn population(vms: u32) -> Vec<Vm> {
    let idle = |number| Vm::idle(number, RULES);
    let others = vms.saturating_sub(1);
    let measured = Vm::measured(RULES);
    (1..=others / 2).map(idle).chain([measured]).chain((others / 2 + 1..=others).map(idle)).collect()
}

/// Programs that look at nothing, on both hooks of an interface.
fn nothing(interface: &str) -> Result<[OwnedFd; 2]> {
    let (program, interface) = (kernel::empty(Kind::Tc)?, if_nametoindex(interface)?);
    let attach = |hook| kernel::attach(program.as_fd(), interface, hook);
    Ok([attach(kernel::TCX_INGRESS)?, attach(kernel::TCX_EGRESS)?])
}

/// The daemon, and a tap for each of the VMs, with this state.
fn guard(hypervisor: &Hypervisor, vms: &[Vm], words: impl Fn(&Vm) -> String) -> Process {
    let (mut links, mut state) = (String::new(), String::new());
    for vm in vms {
        if vm.mac != VM_MAC {
            let _ = writeln!(links, "link add {} type veth peer name far-{}", vm.interface, vm.interface);
        }
        state += &words(vm);
    }
    // Before there are ports it is ready at once.
    let daemon = hypervisor.daemon();
    hypervisor.netns.ip(&links);
    hypervisor.site.state("10-ports.toml", &state);
    within(PATIENCE, "all ports guarded", || {
        let status = hypervisor.json("status");
        (status.pointer("/daemon/guarded")?.as_array()?.len() == vms.len()).then_some(())
    });
    daemon
}

/// Lets ip6tables see what the bridge forwards.
fn track_in_bridge(hypervisor: &Hypervisor) {
    hypervisor.netns.sysctl("bridge/bridge-nf-call-ip6tables", "1");
    // Else the flows of one round would still be known in the next, and not be new.
    hypervisor.netns.sysctl("netfilter/nf_conntrack_udp_timeout", "1");
}
