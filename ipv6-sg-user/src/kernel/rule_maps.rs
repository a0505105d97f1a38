//! The maps that rules lie in, as the kernel holds them.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::lpm_trie::Key;
use aya::maps::{Array, IterableMap as _, LpmTrie, MapData, MapError};
use ipv6_sg_common::abi::{PeerKey, Policy, RulesetId, Service, ServiceKey, maps};
use ipv6_sg_common::address::Address;

use super::error::absent;
use super::pod::Raw;
use super::rulesets::{Peer, Tables};
use super::{KernelError, Result, batch, bpf};
use crate::compile::{self, Allowance, Prefix};

/// The class of a peer, by ruleset.
pub(super) type Peers = LpmTrie<MapData, Raw<RulesetAddress>, Raw<u32>>;
/// What a class may.
pub(super) type Services = LpmTrie<MapData, Raw<ClassService>, Raw<Service>>;

/// The data part of a key of peers.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct RulesetAddress {
    ruleset: u32,
    octets: [u8; 16],
}

/// The data part of a key of services.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct ClassService {
    class: u32,
    padding: u8,
    protocol: u8,
    number: [u8; 2],
}

fn peer_key(ruleset: RulesetId, (address, length): Prefix) -> Key<Raw<RulesetAddress>> {
    let key = PeerKey::prefix(ruleset, address, length);
    Key::new(key.prefix_length, Raw(RulesetAddress { ruleset: ruleset.number, octets: address.octets }))
}

fn service_key(class: u32, service: &compile::Service) -> Key<Raw<ClassService>> {
    let key = service.key(class);
    let ServiceKey { prefix_length, class, padding, protocol, number } = key;
    Key::new(prefix_length, Raw(ClassService { class, padding, protocol, number }))
}

/// The maps of rules, open for writing.
pub(super) struct RuleMaps {
    pub(super) peers: Peers,
    pub(super) services: Services,
    pub(super) policy: Array<MapData, Raw<Policy>>,
}

impl Tables for RuleMaps {
    fn peers(&self) -> Result<Vec<Peer>> {
        peers(&self.peers)
    }

    fn classes(&self) -> Result<BTreeMap<u32, Allowance>> {
        classes(&self.services)
    }

    fn put_peer(&mut self, ruleset: RulesetId, peer: Prefix, class: u32) -> Result<()> {
        self.peers.insert(&peer_key(ruleset, peer), Raw(class), 0).map_err(KernelError::map("add to", maps::PEERS))
    }

    fn remove_peer(&mut self, ruleset: RulesetId, peer: Prefix) -> Result<()> {
        absent(self.peers.remove(&peer_key(ruleset, peer))).map_err(KernelError::map("remove from", maps::PEERS))
    }

    fn put_class(&mut self, class: u32, allowance: &Allowance) -> Result<()> {
        for service in allowance.services() {
            let value = Raw(Service { names_type: u32::from(service.names_type) });
            self.services
                .insert(&service_key(class, &service), value, 0)
                .map_err(KernelError::map("add to", maps::SERVICES))?;
        }
        Ok(())
    }

    fn remove_class(&mut self, class: u32, allowance: &Allowance) -> Result<()> {
        for service in allowance.services() {
            absent(self.services.remove(&service_key(class, &service)))
                .map_err(KernelError::map("remove from", maps::SERVICES))?;
        }
        Ok(())
    }

    fn generation(&self) -> Result<u32> {
        let Raw(policy) = self.policy.get(&0, 0).map_err(KernelError::map("read", maps::POLICY))?;
        Ok(policy.generation)
    }

    fn renew(&mut self, generation: u32) -> Result<()> {
        self.policy.set(0, Raw(Policy { generation }), 0).map_err(KernelError::map("write to", maps::POLICY))
    }
}

/// All peers, in their order, each once.
pub(super) fn peers(map: &Peers) -> Result<Vec<Peer>> {
    let mut all = Vec::new();
    let whole = |key: Key<_>| {
        let Raw(RulesetAddress { ruleset: number, octets }) = key.data();
        PeerKey { prefix_length: key.prefix_len(), ruleset: RulesetId { number }, address: Address { octets } }
    };
    each(map, maps::PEERS, whole, |PeerKey { prefix_length, ruleset, address }, class| {
        // A key that is shorter than its ruleset is none of ours.
        let length = prefix_length.checked_sub(32).and_then(|length| u8::try_from(length).ok());
        all.extend(length.map(|length| Peer { ruleset, prefix: (address, length), class }));
    })?;
    all.sort();
    all.dedup_by_key(|peer| (peer.ruleset, peer.prefix));
    Ok(all)
}

/// Every class and what it may.
pub(super) fn classes(map: &Services) -> Result<BTreeMap<u32, Allowance>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (key, Service { names_type }) in services(map)? {
        if let Some(service) = compile::Service::of(&key, names_type == 1) {
            all.entry(key.class).or_default().insert(service);
        }
    }
    Ok(all.into_iter().map(|(class, services)| (class, Allowance::from_iter(services))).collect())
}

/// What all classes may, by key.
pub(super) fn services(map: &Services) -> Result<BTreeMap<ServiceKey, Service>> {
    let mut all = BTreeMap::new();
    let whole = |key: Key<_>| {
        let Raw(ClassService { class, protocol, number, padding }) = key.data();
        ServiceKey { prefix_length: key.prefix_len(), class, padding, protocol, number }
    };
    each(map, maps::SERVICES, whole, |key, service| {
        all.insert(key, service);
    })?;
    Ok(all)
}

/// Tells every entry, one perhaps twice. `whole` makes one of a key and its length.
fn each<D, K, V>(
    map: &LpmTrie<MapData, Raw<D>, Raw<V>>,
    name: &'static str,
    whole: impl Fn(Key<Raw<D>>) -> K,
    mut tell: impl FnMut(K, V),
) -> Result<()>
where
    D: bytemuck::Pod,
    K: bytemuck::Pod,
    V: bytemuck::Pod,
{
    let read = match batch::prefixes(map.map(), &mut tell) {
        // Two calls for each entry instead of one for thousands.
        Err(error) if error.raw_os_error() == Some(bpf::ENOTSUPP) => {
            map.iter().try_for_each(|entry| entry.map(|(key, Raw(value))| tell(whole(key), value)))
        }
        read => read.map_err(MapError::IoError),
    };
    read.map_err(KernelError::map("read", name))
}
