//! The verdict's tables on the host: what `explain` and tests judge with, answering as the kernel program's maps do.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ipv6_sg_common::abi::{
    FRAGMENT_LIFETIME_NS, FirstFragment, Flow, FlowKey, FragmentKey, PeerKey, Port, PortFlags, RulesetId, Service,
    ServiceKey,
};
use ipv6_sg_common::address::Address;
use ipv6_sg_common::verdict::Tables;

use super::prefix::first;
use super::{Access, Allowance, Grant, PortImage, PortRules, Ruleset};

/// The tables of one port. First fragments and flows are remembered from one packet to the next; unlike the kernel's, this
/// memory has no limit, for nobody floods it.
#[derive(Debug, Default)]
pub struct HostTables {
    sources: BTreeSet<(Address, u8)>,
    lengths: BTreeSet<u8>,
    routers: BTreeSet<Address>,
    now: Cell<Duration>,
    generation: Cell<u32>,
    fragments: RefCell<HashMap<FragmentKey, FirstFragment>>,
    flows: RefCell<HashMap<FlowKey, Flow>>,
    /// By number: [`INGRESS`] and [`EGRESS`].
    rulesets: BTreeMap<RulesetId, Arc<Ruleset>>,
    /// What peers were found to be allowed; the place is the class.
    classes: RefCell<Vec<Allowance>>,
}

const INGRESS: RulesetId = RulesetId { number: 1 };
const EGRESS: RulesetId = RulesetId { number: 2 };

impl HostTables {
    /// A compiled port and its tables.
    pub fn of(image: &PortImage) -> (Port, Self) {
        let mut tables = Self::new(image.sources.iter().copied(), image.routers.iter().copied());
        let port = tables.rule(image.port, image.rules.as_ref());
        (port, tables)
    }

    /// The port with these rules from now on, to which every flow is put again.
    pub fn rule(&mut self, port: Port, rules: Option<&PortRules>) -> Port {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.rulesets.clear();
        let mut number = |access: &Access, number: RulesetId| match access {
            Access::Nothing => RulesetId::NOTHING,
            Access::Everything => RulesetId::EVERYTHING,
            Access::Rules(ruleset) => {
                self.rulesets.insert(number, Arc::clone(ruleset));
                number
            }
        };
        match rules {
            Some(rules) => Port {
                ingress: number(&rules.ingress, INGRESS),
                egress: number(&rules.egress, EGRESS),
                flags: port.flags.with(PortFlags::HAS_RULES, true),
                ..port
            },
            None => port,
        }
    }

    /// The tables with these entries of the source map (address and prefix length) and of the router map.
    pub fn new(sources: impl IntoIterator<Item = (Address, u8)>, routers: impl IntoIterator<Item = Address>) -> Self {
        let mut tables = Self::default();
        tables.replace(sources, routers);
        tables
    }

    /// These entries from now on; what is remembered of packets stays.
    pub fn replace(
        &mut self,
        sources: impl IntoIterator<Item = (Address, u8)>,
        routers: impl IntoIterator<Item = Address>,
    ) {
        self.sources = sources.into_iter().map(|(address, length)| (first(address, length), length)).collect();
        self.lengths = self.sources.iter().map(|(_, length)| *length).collect();
        self.routers = routers.into_iter().collect();
    }

    /// The flows that are remembered, those that are over included.
    pub fn flows(&self) -> Vec<(FlowKey, Flow)> {
        self.flows.borrow().iter().map(|(key, flow)| (*key, *flow)).collect()
    }

    /// Sets the clock that first fragments and flows age by.
    pub fn set_time(&self, now: Duration) {
        self.now.set(now);
    }

    /// From here on the port has these flows, which rules of `generation` or others allowed, and its rules are of that
    /// generation: as a kernel has them.
    pub fn take_over(&self, generation: u32, flows: impl IntoIterator<Item = (FlowKey, Flow)>) {
        self.generation.set(generation);
        self.flows.replace(flows.into_iter().collect());
    }

    fn live(&self, key: &FragmentKey) -> Option<FirstFragment> {
        let first = *self.fragments.borrow().get(key)?;
        if self.now_ns().saturating_sub(first.seen_ns) < FRAGMENT_LIFETIME_NS { Some(first) } else { None }
    }
}

impl Tables for HostTables {
    fn source(&self, address: &Address) -> bool {
        self.lengths.iter().any(|length| self.sources.contains(&(first(*address, *length), *length)))
    }

    fn router(&self, address: &Address) -> bool {
        self.routers.contains(address)
    }

    fn remember_fragment(&self, key: &FragmentKey, first: &FirstFragment) {
        self.fragments.borrow_mut().insert(*key, *first);
    }

    fn first_fragment(&self, key: &FragmentKey) -> Option<FirstFragment> {
        self.live(key)
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.now.get().as_nanos()).unwrap_or(u64::MAX)
    }

    fn generation(&self) -> u32 {
        self.generation.get()
    }

    fn flow(&self, key: &FlowKey) -> Option<Flow> {
        self.flows.borrow().get(key).copied()
    }

    fn remember_flow(&self, key: &FlowKey, flow: &Flow) {
        self.flows.borrow_mut().insert(*key, *flow);
    }

    fn class(&self, peer: &PeerKey) -> Option<u32> {
        let allowed = self.rulesets.get(&peer.ruleset)?.lookup(peer.address)?;
        let mut classes = self.classes.borrow_mut();
        let class = classes.iter().position(|class| class == allowed).unwrap_or_else(|| {
            classes.push(allowed.clone());
            classes.len() - 1
        });
        u32::try_from(class).ok()
    }

    fn service(&self, service: &ServiceKey) -> Option<Service> {
        let classes = self.classes.borrow();
        let class = classes.get(usize::try_from(service.class).ok()?)?;
        let grant = class.allows(service.protocol, u16::from_be_bytes(service.number))?;
        Some(Service { names_type: u32::from(grant == Grant::NamesType) })
    }
}

#[cfg(test)]
mod tests {
    use ipv6_sg_common::abi::{Direction, Selectors};

    use super::*;

    fn address(text: &str) -> Address {
        Address::from_ip(text.parse().unwrap())
    }

    #[test]
    fn sources_of_any_length() {
        let tables = HostTables::new(
            [(address("2001:db8:f000::"), 36), (address("2001:db8:1::5"), 128), (address("2001:db8:2::"), 63)],
            [address("fe80::1")],
        );
        for inside in ["2001:db8:f000::", "2001:db8:ffff:ffff::1", "2001:db8:1::5", "2001:db8:2:1:ffff::"] {
            assert!(tables.source(&address(inside)), "{inside}");
        }
        for outside in ["2001:db8:efff:ffff::", "2001:db9::", "2001:db8:1::4", "2001:db8:2:2::", "::"] {
            assert!(!tables.source(&address(outside)), "{outside}");
        }
        assert!(tables.router(&address("fe80::1")) && !tables.router(&address("fe80::2")));
        assert!(!HostTables::default().source(&address("::")));
        assert!(HostTables::new([(address("::"), 0)], []).source(&address("ffff::")));
    }

    #[test]
    fn first_fragments_are_forgotten_in_time() {
        let tables = HostTables::default();
        let key = FragmentKey::new(address("::1"), address("::2"), 7, Direction::FromVm);
        let remember = |end| {
            let (seen_ns, selectors) = (tables.now_ns(), Selectors::default());
            tables.remember_fragment(&key, &FirstFragment { seen_ns, end, generation: 0, selectors });
        };
        let end = |key| tables.first_fragment(key).map(|first| first.end);
        let lifetime = Duration::from_nanos(FRAGMENT_LIFETIME_NS);
        assert_eq!(end(&key), None);
        remember(1448);
        assert_eq!(end(&key), Some(1448));
        let other = FragmentKey::new(address("::1"), address("::2"), 7, Direction::ToVm);
        assert_eq!(end(&other), None);
        tables.set_time(lifetime - Duration::from_nanos(1));
        assert_eq!(end(&key), Some(1448));
        tables.set_time(lifetime);
        assert_eq!(end(&key), None);
        remember(8);
        assert_eq!(end(&key), Some(8));
    }
}
