//! NICs of which nothing can be told but whose VM's they are, and their MAC: a VM has two with one MAC, on two networks, and which
//! tap is which is nowhere written. A tenant can have that be so, and a tap that is left out would be open.
//!
//! Such a tap has the MAC and its link-local address, and nothing may come in. IPv4 stays whose it is.

use super::Owner;
use crate::state::{Network, Origin, Port};

/// What is wanted of such a tap: its port, and a network that has nobody else on it. `who` says so.
pub(super) fn bare(who: Who, interface: &str, owner: &Owner) -> (Network, Port) {
    let Owner { vm, mac } = owner;
    let origin = Origin::new(&format!("CloudStack {vm}"));
    let name = who.network(vm, interface);
    let network = Network { name: name.clone(), prefixes: Vec::new(), routers: Vec::new(), origin: origin.clone() };
    let port = Port {
        vm: vm.clone(),
        interface: interface.to_owned(),
        mac: *mac,
        network: name,
        addresses: Vec::new(),
        delegated: Vec::new(),
        security_groups: Some(Vec::new()),
        echo: None,
        origin,
    };
    (network, port)
}

/// Which of CloudStack's ways says so: both may, and name nothing the same.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Agent,
    Api,
}

impl Who {
    fn network(self, vm: &str, interface: &str) -> String {
        let way = match self {
            Self::Agent => "agent",
            Self::Api => "API",
        };
        format!("cloudstack {way} {vm} {interface}")
    }
}

/// Whether a port is such a one: of what its MAC has elsewhere it has nothing.
pub fn is_bare(port: &Port) -> bool {
    [Who::Agent, Who::Api].iter().any(|who| port.network == who.network(&port.vm, &port.interface))
}
