//! The stage: a hypervisor with a bridge, two VMs behind taps of it, and the router of their network.

use std::net::Ipv6Addr;

use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, Process, eventually, radvd};
use ipv6_sg_tests::world::{
    DELEGATED_FIRST, NEIGHBOUR_MAC, ROUTER, ROUTER_LINK_LOCAL, ROUTER_MAC, STRANGER, VM_LINK_LOCAL, VM_MAC,
};
use serde_json::Value;

/// The interface of the hypervisor behind which VM 1 lives.
pub const TAP: &str = "vnet11";
/// That of VM 2.
pub const OTHER_TAP: &str = "vnet12";

/// The prefix that the router announces.
pub const PREFIX: &str = "2001:db8:100::/64";

/// The VM's name in the state, its tap, its MAC, and the group that it is to join.
const VMS: [(&str, &str, Mac, &str); 2] =
    [("i-2-55-VM", TAP, VM_MAC, "web"), ("i-2-56-VM", OTHER_TAP, NEIGHBOUR_MAC, "db")];

/// An address of VM 1 inside the prefix that is delegated to it.
pub const DELEGATED: Ipv6Addr = {
    let [a, b, c, d, e, f, g, _] = DELEGATED_FIRST.segments();
    Ipv6Addr::new(a, b, c, d, e, f, g, 1)
};

/// Everybody on the stage. What is declared first is dropped first.
pub struct Stage {
    /// What the hypervisor and the router run.
    running: Vec<Process>,
    /// The attacker, and once it is honest.
    pub vm1: Guest,
    /// Its neighbour.
    pub vm2: Guest,
    /// The network's router.
    pub router: Guest,
    /// The host that guards.
    pub hypervisor: Hypervisor,
}

impl Stage {
    /// Everybody is connected; nobody speaks IPv6 yet, and nothing is guarded.
    pub fn set() -> Self {
        let hypervisor = Hypervisor::new();
        // Nothing is learnt: what forgeries say of their MACs is not to be believed later.
        hypervisor.netns.ip("link set br0 type bridge ageing_time 0");
        let router = hypervisor.guest("uplink", ROUTER_MAC, Ip::Kernel);
        let [vm1, vm2] = VMS.map(|(_, tap, mac, _)| hypervisor.guest(tap, mac, Ip::Silent));
        router.netns.sysctl("ipv6/conf/all/forwarding", "1");
        router.netns.ip(&format!("address add {STRANGER}/128 dev lo nodad\naddress add {ROUTER}/64 dev eth0 nodad"));
        hypervisor.site.state("00-network.toml", &state_file(false));
        Self { running: Vec::new(), vm1, vm2, router, hypervisor }
    }

    /// Starts the daemon on the state of the two VMs, and waits until both taps are guarded.
    pub fn guard(&mut self) {
        self.running.push(self.hypervisor.daemon());
        VMS.iter().for_each(|(_, tap, ..)| self.hypervisor.wait_guarded(tap));
    }

    /// The bridge learns, the router announces its prefix, the VMs boot.
    pub fn boot(&mut self) {
        self.hypervisor.netns.ip("link set br0 type bridge ageing_time 30000");
        // Unguarded, the router believed what it was told.
        self.router.netns.ip("neighbour flush dev eth0");
        self.running.push(radvd(&self.hypervisor.site, &self.router.netns));
        for vm in [&self.vm1, &self.vm2] {
            vm.netns.sysctl("ipv6/conf/eth0/disable_ipv6", "0");
        }
        self.vm1.netns.ip(&format!("address add {DELEGATED}/128 dev lo"));
        self.router.netns.ip(&format!("route add {DELEGATED_FIRST}/60 via {VM_LINK_LOCAL} dev eth0"));
    }

    /// Has the VMs join their groups, if they are not in them yet, and the groups be these; waits until it holds.
    pub fn join(&self, groups: &str) {
        self.hypervisor.groups(groups);
        self.hypervisor.site.state("00-network.toml", &state_file(true));
        eventually("rules as written", || {
            let ports = self.hypervisor.json("rules");
            let followed = |port: &Value| port["differs"].as_array().is_some_and(Vec::is_empty);
            ports.as_array()?.iter().all(followed).then_some(())
        });
    }
}

/// The network and its ports, in their groups or in none.
fn state_file(joined: bool) -> String {
    let mut text = format!("[network.pod1]\nprefixes = [\"{PREFIX}\"]\nrouters  = [\"{ROUTER_LINK_LOCAL}\"]\n");
    for (vm, interface, mac, group) in VMS {
        text += &format!(
            "\n[[port]]\nvm        = \"{vm}\"\ninterface = \"{interface}\"\nmac       = \"{mac}\"\nnetwork   = \"pod1\"\n"
        );
        if interface == TAP {
            text += &format!("delegated = [\"{DELEGATED_FIRST}/60\"]\n");
        }
        if joined {
            text += &format!("security_groups = [\"{group}\"]\n");
        }
    }
    text
}
