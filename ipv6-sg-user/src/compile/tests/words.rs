//! The compiled rules against the words of the policy: on dense random states, every packet near an edge gets the same
//! answer from both. The evaluator here shares no code with what it checks.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ipv6_sg_common::abi::Direction;
use proptest::sample::{select, subsequence};

use super::arbitrary::{edges, traffic};
use super::*;
use crate::compile::written::deciding_rule;
use crate::state::{Icmpv6, Peer, PortRange, Rule, SecurityGroup, Traffic};

/// What the policy says of a packet as far as rules go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Drop,
    Pass,
    /// It passes, even if its ICMPv6 type has no row of its own.
    PassByName,
}

type Bits = (u128, u8);

fn is_in(address: u128, (prefix, length): Bits) -> bool {
    length == 0 || address >> (128 - length) == prefix >> (128 - length)
}

fn bits(prefix: &ipnet::Ipv6Net) -> Bits {
    (prefix.addr().to_bits(), prefix.prefix_len())
}

/// Everybody whom `group:NAME` means, by name.
fn everybody(state: &Declarations) -> BTreeMap<String, Vec<Bits>> {
    let announced: Vec<u128> = state.networks[0].prefixes.iter().map(|prefix| prefix.addr().to_bits()).collect();
    let members = |group: &SecurityGroup| {
        let mut members: Vec<Bits> = group.members.iter().map(bits).collect();
        for port in &state.ports {
            if port.security_groups.as_ref().is_some_and(|groups| groups.contains(&group.name)) {
                let extra: Vec<u128> = port.addresses.iter().map(|address| address.to_ip().to_bits()).collect();
                let delegated: Vec<Bits> = port.delegated.iter().map(bits).collect();
                let set = naive_source_set(port.mac.octets, &announced, &extra, &delegated);
                members.extend(set.into_iter().filter(|(address, _)| address >> 112 != 0xfe80));
            }
        }
        (group.name.clone(), members)
    };
    state.groups.iter().map(members).collect()
}

fn matches(traffic: Traffic, protocol: u8, number: u16) -> Answer {
    let [kind, code] = number.to_be_bytes();
    let in_range = |ports: PortRange| ports.first <= number && number <= ports.last;
    let (does, answer) = match traffic {
        Traffic::All => (true, Answer::Pass),
        Traffic::Tcp(ports) => (protocol == 6 && in_range(ports), Answer::Pass),
        Traffic::Udp(ports) => (protocol == 17 && in_range(ports), Answer::Pass),
        Traffic::Icmpv6(Icmpv6::Any) => (protocol == 58, Answer::Pass),
        Traffic::Icmpv6(Icmpv6::Type(named)) => (protocol == 58 && kind == named, Answer::PassByName),
        Traffic::Icmpv6(Icmpv6::TypeAndCode(named, its)) => {
            (protocol == 58 && kind == named && code == its, Answer::PassByName)
        }
        Traffic::Protocol(named) => (protocol == named, Answer::Pass),
    };
    if does { answer } else { Answer::Drop }
}

/// One rule after the other: the best that any says.
fn ask(rules: &[&Rule], everybody: &BTreeMap<String, Vec<Bits>>, peer: u128, protocol: u8, number: u16) -> Answer {
    let mut best = Answer::Drop;
    for rule in rules {
        let answer = matches(rule.traffic, protocol, number);
        let is_peer = |of: &Peer| match of {
            Peer::Prefix(prefix) => is_in(peer, bits(prefix)),
            Peer::Group(name) => everybody[name].iter().any(|prefix| is_in(peer, *prefix)),
        };
        if answer > best && rule.peers.iter().any(is_peer) {
            best = answer;
        }
    }
    best
}

const GROUPS: [&str; 4] = ["a", "b", "c", "d"];
const ANNOUNCED: u128 = 0x2001_0db8 << 96;
const DELEGATED: u128 = 0x2001_0db8_0001 << 80;

/// A prefix around one of few addresses: those that ports use, and their neighbours.
fn prefix() -> impl Strategy<Value = ipnet::Ipv6Net> {
    let host = prop_oneof![(0u128..5).prop_map(|number| 0xff_fe00_0000 | number), 0u128..0x44];
    let address = prop_oneof![
        (0u128..6, host).prop_map(|(net, host)| ANNOUNCED | net << 64 | host),
        (0u128..0x60, 0u128..4).prop_map(|(net, host)| DELEGATED | net << 64 | host),
    ];
    let length =
        select(&[0u8, 1, 16, 32, 46, 47, 48, 59, 60, 61, 62, 63, 64, 64, 100, 122, 125, 126, 127, 128, 128][..]);
    (address, length)
        .prop_map(|(address, length)| ipnet::Ipv6Net::new(Ipv6Addr::from_bits(address), length).unwrap().trunc())
}

fn rules(most: usize) -> impl Strategy<Value = Vec<Rule>> {
    let group = select(&GROUPS[..]).prop_map(|name| Peer::Group(name.into()));
    let peer = prop_oneof![2 => prefix().prop_map(Peer::Prefix), 1 => group];
    let rule = (traffic(), prop::collection::vec(peer, 1..4)).prop_map(|(traffic, peers)| Rule { traffic, peers });
    prop::collection::vec(rule, 0..=most)
}

fn group(name: &'static str) -> impl Strategy<Value = SecurityGroup> {
    (rules(5), rules(3), prop::collection::vec(prefix(), 0..3)).prop_map(move |(ingress, egress, members)| {
        SecurityGroup {
            name: name.into(),
            ingress: ingress.into(),
            egress: egress.into(),
            members,
            origin: Origin::new("test"),
        }
    })
}

/// The port of this number, with addresses and delegations that are nobody else's.
fn port(number: u8) -> impl Strategy<Value = Port> {
    let own = DELEGATED | u128::from(number) << 68;
    let net = |address, length| ipnet::Ipv6Net::new(Ipv6Addr::from_bits(address), length).unwrap();
    let delegated = vec![net(own, 60), net(own | 4 << 64, 62), net(own | 5 << 64 | 2, 127)];
    let extra = [0, 1, 2].map(|host| Address::from_ip((ANNOUNCED | u128::from(number) << 4 | host).into()));
    let groups = prop::option::weighted(0.9, subsequence(GROUPS.map(str::to_owned).to_vec(), 0..=3).prop_shuffle());
    (subsequence(extra.to_vec(), 0..=3), subsequence(delegated, 0..=3), groups).prop_map(
        move |(addresses, delegated, security_groups)| Port {
            vm: number.to_string(),
            interface: format!("vnet{number}"),
            mac: Mac { octets: [2, 0, 0, 0, 0, number] },
            network: "n".into(),
            addresses,
            delegated,
            security_groups,
            echo: None,
            origin: Origin::new("test"),
        },
    )
}

fn state() -> impl Strategy<Value = Declarations> {
    let network = (0u128..6).prop_map(|announced| Network {
        name: "n".into(),
        prefixes: (0..announced)
            .map(|net| ipnet::Ipv6Net::new(Ipv6Addr::from_bits(ANNOUNCED | net << 64), 64).unwrap())
            .collect(),
        routers: Vec::new(),
        origin: Origin::new("test"),
    });
    (network, (1u8..=4).map(port).collect::<Vec<_>>(), GROUPS.map(group))
        .prop_map(|(network, ports, groups)| Declarations { networks: vec![network], ports, groups: groups.into() })
}

/// The first and last address of all these prefixes, and what lies right beyond them.
fn peers(prefixes: impl Iterator<Item = Bits>) -> BTreeSet<u128> {
    let edges = prefixes.flat_map(|(first, length)| {
        let last = first | u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
        [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
    });
    edges.chain([0xfe80 << 112 | 0xff_fe00_0001]).collect()
}

const fn answer(grant: Option<Grant>) -> Answer {
    match grant {
        None => Answer::Drop,
        Some(Grant::General) => Answer::Pass,
        Some(Grant::NamesType) => Answer::PassByName,
    }
}

/// Nothing is stored that its surroundings say already, and what is equal is one.
fn check_economy(image: &Image) -> Result<(), TestCaseError> {
    let rules = image.ports.values().filter_map(|port| port.rules.as_ref());
    let rulesets: Vec<_> = rules
        .flat_map(|rules| [&rules.ingress, &rules.egress])
        .filter_map(|access| if let Access::Rules(ruleset) = access { Some(ruleset) } else { None })
        .collect();
    for (one, other) in rulesets.iter().flat_map(|one| rulesets.iter().map(move |other| (one, other))) {
        prop_assert_eq!(one == other, Arc::ptr_eq(one, other));
    }
    let allowances = || rulesets.iter().flat_map(|ruleset| ruleset.entries().values());
    let (values, places): (HashSet<_>, HashSet<_>) = (allowances().collect(), allowances().map(Arc::as_ptr).collect());
    prop_assert_eq!(values.len(), places.len());
    for ruleset in rulesets {
        for ((address, length), allowance) in ruleset.entries() {
            let around = ruleset.entries().iter().filter(|((outer, outer_length), _)| {
                outer_length < length && is_in(address.to_ip().to_bits(), (outer.to_ip().to_bits(), *outer_length))
            });
            let enclosing = around.max_by_key(|((_, length), _)| *length);
            prop_assert!(enclosing.is_none_or(|(_, enclosing)| enclosing != allowance), "{}/{}", address, length);
        }
    }
    Ok(())
}

/// A state and what it is compiled to.
struct Subject {
    state: Declarations,
    model: Model,
    image: Image,
    everybody: BTreeMap<String, Vec<Bits>>,
}

/// The rules of a group that are asked about a packet of this direction.
fn written(group: &SecurityGroup, direction: Direction) -> &[Rule] {
    if direction == Direction::ToVm { &group.ingress } else { &group.egress }
}

thread_local! {
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// The same rules in other places.
fn moved(mut state: Declarations) -> Declarations {
    for group in &mut state.groups {
        (group.ingress, group.egress) = (group.ingress.to_vec().into(), group.egress.to_vec().into());
    }
    state
}

impl Subject {
    fn new(state: Declarations) -> Self {
        let model = Model::assemble([state.clone()]).unwrap();
        let image = compile(&model, &Settings::default()).unwrap();
        // What is remembered changes nothing: of another state, of this one, and of one that has its rules elsewhere.
        MEMORY.with_borrow_mut(|memory| {
            let moved = Model::assemble([moved(state.clone())]).unwrap();
            for model in [&model, &model, &moved, &model] {
                assert_eq!(compile_again(model, &Settings::default(), memory).unwrap(), image);
            }
        });
        Self { everybody: everybody(&state), state, model, image }
    }

    /// Every packet near an edge, to and from a port with these groups.
    fn check_port(&self, groups: &[String], rules: &PortRules) -> Result<(), TestCaseError> {
        let all = || self.state.groups.iter().flat_map(|group| group.ingress.iter().chain(group.egress.iter()));
        let prefixes = all().flat_map(|rule| &rule.peers).filter_map(|peer| match peer {
            Peer::Prefix(prefix) => Some(bits(prefix)),
            Peer::Group(_) => None,
        });
        let peers = peers(prefixes.chain(self.everybody.values().flatten().copied()));
        let packets = edges(all().map(|rule| rule.traffic));
        let mut asked = 0_usize;
        for (direction, access) in [(Direction::ToVm, &rules.ingress), (Direction::FromVm, &rules.egress)] {
            let groups: Vec<_> = groups.iter().map(|name| &self.model.groups()[name]).collect();
            let rules: Vec<_> = groups.iter().flat_map(|group| written(group, direction)).collect();
            prop_assert_eq!(*access == Access::Nothing, direction == Direction::ToVm && rules.is_empty());
            prop_assert_eq!(*access == Access::Everything, direction == Direction::FromVm && rules.is_empty());
            let Access::Rules(ruleset) = access else { continue };
            for (peer, &(protocol, number)) in peers.iter().flat_map(|peer| packets.iter().map(move |it| (*peer, it))) {
                let expected = ask(&rules, &self.everybody, peer, protocol, number);
                let ip = Ipv6Addr::from_bits(peer);
                let grant = ruleset.lookup(ip.into()).and_then(|allowance| allowance.allows(protocol, number));
                prop_assert_eq!(answer(grant), expected, "{:?}, {} {} {}", direction, ip, protocol, number);
                asked += 1;
                // Naming the rule is slow, so it is not asked for every packet. A prime leaves no peer out for long.
                if asked.is_multiple_of(61) {
                    self.check_decision(&groups, direction, (peer, protocol, number), expected)?;
                }
            }
        }
        Ok(())
    }

    /// The rule that decides is the first to give this answer.
    fn check_decision(
        &self,
        groups: &[&SecurityGroup],
        direction: Direction,
        (peer, protocol, number): (u128, u8, u16),
        expected: Answer,
    ) -> Result<(), TestCaseError> {
        let gives = |rule: &Rule| ask(&[rule], &self.everybody, peer, protocol, number) == expected;
        let first = groups
            .iter()
            .find_map(|group| Some((group.name.as_str(), written(group, direction).iter().position(gives)?)));
        let names: Vec<_> = groups.iter().map(|group| group.name.clone()).collect();
        let address = Ipv6Addr::from_bits(peer).into();
        let decision = deciding_rule(&self.model, &self.image, &names, direction, address, (protocol, number));
        prop_assert_eq!(answer(decision.map(|decision| decision.grant)), expected);
        let decided = decision.map(|decision| (decision.group, decision.index));
        prop_assert_eq!(decided, first.filter(|_| expected != Answer::Drop));
        Ok(())
    }
}

proptest! {
    #[test]
    fn compiled_rules_say_what_the_policy_says(state in state()) {
        let subject = Subject::new(state);
        check_economy(&subject.image)?;
        for port in &subject.state.ports {
            let rules = subject.image.ports[&port.interface].rules.as_ref();
            prop_assert_eq!(rules.is_some(), port.security_groups.is_some());
            if let (Some(rules), Some(groups)) = (rules, &port.security_groups) {
                subject.check_port(groups, rules)?;
            }
        }
    }
}
