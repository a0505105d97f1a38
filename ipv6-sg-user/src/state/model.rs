//! The desired state as a whole: every name is defined, and no two ports lay claim to the same thing.

use std::collections::{BTreeMap, HashMap};

use ipv6_sg_common::mac::Mac;

use super::claims;
use super::{Error, Invalid, Network, Origin, Peer, Port, Problem, SecurityGroup};

/// What one source wants. Every value is sound on its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations {
    /// Networks.
    pub networks: Vec<Network>,
    /// Ports.
    pub ports: Vec<Port>,
    /// Security groups.
    pub groups: Vec<SecurityGroup>,
}

/// The validated desired state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    networks: BTreeMap<String, Network>,
    ports: BTreeMap<String, Port>,
    groups: BTreeMap<String, SecurityGroup>,
}

impl Model {
    /// Puts together what all sources want.
    ///
    /// # Errors
    /// The first clash or undefined name, in the order of the sources.
    pub fn assemble(sources: impl IntoIterator<Item = Declarations>) -> Result<Self, Error> {
        let mut model = Self::default();
        let mut ports = Vec::new();
        for source in sources {
            for network in source.networks {
                define(&mut model.networks, "network", network, |network| (&network.name, &network.origin))?;
            }
            for group in source.groups {
                define(&mut model.groups, "security_group", group, |group| (&group.name, &group.origin))?;
            }
            ports.extend(source.ports);
        }
        for group in model.groups.values() {
            model.check_peers(group)?;
        }
        model.add_ports(ports)?;
        Ok(model)
    }

    /// The networks, by name.
    pub const fn networks(&self) -> &BTreeMap<String, Network> {
        &self.networks
    }

    /// The ports, by interface.
    pub const fn ports(&self) -> &BTreeMap<String, Port> {
        &self.ports
    }

    /// The security groups, by name.
    pub const fn groups(&self) -> &BTreeMap<String, SecurityGroup> {
        &self.groups
    }

    /// Every port with its network, in the order of the interfaces.
    pub fn ports_on_networks(&self) -> impl Iterator<Item = (&Port, &Network)> {
        // No port is lost here: each one's network was found when the model was assembled.
        self.ports.values().filter_map(|port| Some((port, self.networks.get(&port.network)?)))
    }

    fn check_peers(&self, group: &SecurityGroup) -> Result<(), Error> {
        for (direction, rules) in [("ingress", &group.ingress), ("egress", &group.egress)] {
            for (rule, index) in rules.iter().zip(0..) {
                for (peer, peer_index) in rule.peers.iter().zip(0..) {
                    if let Peer::Group(name) = peer
                        && !self.groups.contains_key(name)
                    {
                        return Err(Invalid {
                            origin: group.origin.clone(),
                            key: format!("security_group {:?} {direction}[{index}].peers[{peer_index}]", group.name),
                            value: peer.to_string(),
                            problem: Problem::UnknownGroup(name.clone()),
                        }
                        .into());
                    }
                }
            }
        }
        Ok(())
    }

    fn add_ports(&mut self, ports: Vec<Port>) -> Result<(), Error> {
        let mut macs: HashMap<(&str, Mac), &Port> = HashMap::with_capacity(ports.len());
        let mut interfaces: HashMap<&str, &Port> = HashMap::with_capacity(ports.len());
        for port in &ports {
            let refuse = |key: &str, value: &str, problem| Err(invalid(port, key, value, problem));
            if !self.networks.contains_key(&port.network) {
                return refuse("network", &port.network, Problem::UnknownNetwork(port.network.clone()));
            }
            for (name, index) in port.security_groups.iter().flatten().zip(0..) {
                if !self.groups.contains_key(name) {
                    let key = format!("security_groups[{index}]");
                    return refuse(&key, name, Problem::UnknownGroup(name.clone()));
                }
            }
            if let Some(other) = interfaces.insert(&port.interface, port) {
                let problem = Problem::InterfaceTaken { vm: other.vm.clone(), origin: other.origin.clone() };
                return refuse("interface", &port.interface, problem);
            }
            if let Some(other) = macs.insert((&port.network, port.mac), port) {
                let (vm, network, origin) = (other.vm.clone(), port.network.clone(), other.origin.clone());
                return refuse("mac", &port.mac.to_string(), Problem::MacTaken { vm, network, origin });
            }
        }
        claims::check(&self.networks, &ports)?;
        self.ports = ports.into_iter().map(|port| (port.interface.clone(), port)).collect();
        Ok(())
    }
}

/// The error that refuses a value of a port.
pub(super) fn invalid(port: &Port, key: &str, value: &str, problem: Problem) -> Error {
    let key = format!("port {:?} {key}", port.vm);
    Invalid { origin: port.origin.clone(), key, value: value.to_owned(), problem }.into()
}

fn define<T>(
    defined: &mut BTreeMap<String, T>,
    kind: &str,
    thing: T,
    identity: impl Fn(&T) -> (&String, &Origin),
) -> Result<(), Error> {
    let (name, origin) = identity(&thing);
    if let Some(first) = defined.get(name) {
        let (_, first) = identity(first);
        return Err(Invalid {
            origin: origin.clone(),
            key: kind.to_owned(),
            value: name.clone(),
            problem: Problem::DefinedTwice(first.clone()),
        }
        .into());
    }
    defined.insert(name.clone(), thing);
    Ok(())
}

#[cfg(test)]
mod tests;
