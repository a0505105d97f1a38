//! Rules in the maps of an [`Object`](super::Object).

use aya::Ebpf;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, MapData};
use ipv6_sg::compile::{Access, PortRules};
use ipv6_sg_common::abi::{PeerKey, Policy, Port, PortFlags, RulesetId, Service, maps};

use super::Raw;

/// What follows the prefix length in a [`PeerKey`].
type PeerData = [u8; 20];
/// What follows the prefix length in a [`ServiceKey`](ipv6_sg_common::abi::ServiceKey).
type ServiceData = [u8; 8];

/// The rules of the port.
#[derive(Default)]
pub(super) struct Rules {
    /// Numbers below were used.
    used: u32,
    generation: u32,
    peers: Vec<Key<PeerData>>,
    services: Vec<Key<ServiceData>>,
}

impl Rules {
    /// How often they were replaced.
    pub(super) const fn generation(&self) -> u32 {
        self.generation
    }

    /// Replaces the rules and puts every flow to them. Returns the port with its numbers.
    pub(super) fn set(&mut self, ebpf: &mut Ebpf, port: Port, rules: Option<&PortRules>) -> Port {
        let (peers, services) = (std::mem::take(&mut self.peers), std::mem::take(&mut self.services));
        let port = match rules {
            Some(rules) => Port {
                ingress: self.number(ebpf, &rules.ingress),
                egress: self.number(ebpf, &rules.egress),
                flags: port.flags.with(PortFlags::HAS_RULES, true),
                ..port
            },
            None => port,
        };
        for key in peers {
            peer_map(ebpf).remove(&key).expect("it was inserted");
        }
        for key in services {
            service_map(ebpf).remove(&key).expect("it was inserted");
        }
        self.generation += 1;
        let mut policy: Array<_, Raw<Policy>> =
            ebpf.map_mut(maps::POLICY).expect(maps::POLICY).try_into().expect(maps::POLICY);
        policy.set(0, Raw(Policy { generation: self.generation }), 0).expect("the one element");
        port
    }

    fn number(&mut self, ebpf: &mut Ebpf, access: &Access) -> RulesetId {
        let ruleset = match access {
            Access::Nothing => return RulesetId::NOTHING,
            Access::Everything => return RulesetId::EVERYTHING,
            Access::Rules(ruleset) => ruleset,
        };
        self.used += 1;
        let id = RulesetId { number: self.used };
        for ((address, length), allowance) in ruleset.entries() {
            self.used += 1;
            let class = self.used;
            for service in allowance.services() {
                let key = service.key(class);
                let mut data = ServiceData::default();
                data.copy_from_slice(&bytemuck::bytes_of(&key)[4..]);
                let key = Key::new(key.prefix_length, data);
                let value = Raw(Service { names_type: u32::from(service.names_type) });
                service_map(ebpf).insert(&key, value, 0).expect("room for a service");
                self.services.push(key);
            }
            let key = PeerKey::prefix(id, *address, *length);
            let mut data = PeerData::default();
            data.copy_from_slice(&bytemuck::bytes_of(&key)[4..]);
            let key = Key::new(key.prefix_length, data);
            peer_map(ebpf).insert(&key, class, 0).expect("room for a peer");
            self.peers.push(key);
        }
        id
    }
}

fn peer_map(ebpf: &mut Ebpf) -> LpmTrie<&mut MapData, PeerData, u32> {
    ebpf.map_mut(maps::PEERS).expect(maps::PEERS).try_into().expect(maps::PEERS)
}

fn service_map(ebpf: &mut Ebpf) -> LpmTrie<&mut MapData, ServiceData, Raw<Service>> {
    ebpf.map_mut(maps::SERVICES).expect(maps::SERVICES).try_into().expect(maps::SERVICES)
}
