//! The rulesets against tables that look, after each write, at what a packet would find.

mod chores;
mod many;
mod watched;

use ipv6_sg_common::address::Address;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::compile::PortRules;
use crate::state::{PortRange, Traffic};
use watched::{Reader, Watched, addresses};

fn prefixes() -> Vec<Prefix> {
    let nested = |length: u8| (0..1_u128 << length).map(move |low| (low.checked_shl(128 - u32::from(length)), length));
    (0..=3).flat_map(nested).map(|(bits, length)| (Address::from_ip(bits.unwrap_or(0).into()), length)).collect()
}

fn allowance(port: u16) -> Arc<Allowance> {
    Arc::new(Traffic::Tcp(PortRange { first: port, last: port }).into())
}

fn ruleset() -> impl Strategy<Value = Vec<(Prefix, u16)>> {
    prop::collection::vec((select(prefixes()), 1_u16..4), 0..6)
}

fn access() -> impl Strategy<Value = Option<Vec<(Prefix, u16)>>> {
    prop_oneof![1 => Just(None), 4 => ruleset().prop_map(Some)]
}

/// What three ports want, how often there is time to tidy up after it, and whether a new daemon does it.
type Step = ([Option<Vec<(Prefix, u16)>>; 3], usize, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(([access(), access(), access()], 0_usize..6, any::<bool>()), 1..8)
}

/// The same content is one ruleset, as the compiler makes it.
fn interned(wanted: &[Option<Vec<(Prefix, u16)>>]) -> Vec<Access> {
    let mut known: Vec<Arc<Ruleset>> = Vec::new();
    let mut one = |entries: &Vec<(Prefix, u16)>| {
        let ruleset = Ruleset::new(entries.iter().map(|(prefix, port)| (*prefix, allowance(*port))));
        if let Some(same) = known.iter().find(|same| ***same == ruleset) {
            return Access::Rules(Arc::clone(same));
        }
        known.push(Arc::new(ruleset));
        Access::Rules(Arc::clone(&known[known.len() - 1]))
    };
    wanted.iter().map(|entries| entries.as_ref().map_or(Access::Nothing, &mut one)).collect()
}

fn of(access: &Access) -> Arc<Ruleset> {
    match access {
        Access::Rules(ruleset) => Arc::clone(ruleset),
        Access::Nothing | Access::Everything => Arc::default(),
    }
}

/// How much of the tables is in use, counted there.
fn in_use(kernel: &Watched) -> RuleUse {
    let kernel = kernel.0.borrow();
    RuleUse {
        generation: kernel.generation,
        rulesets: kernel.peers.len(),
        peers: kernel.peers.values().map(BTreeMap::len).sum(),
        services: kernel.classes.values().map(|allowance| allowance.services().count()).sum(),
    }
}

proptest! {
    #[test]
    fn a_packet_finds_what_was_or_what_is_to_be(steps in steps()) {
        let kernel = Watched::default();
        let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
        let mut has: Vec<(Numbers, Arc<Ruleset>)> = Vec::new();
        for (wanted, chores, restart) in steps {
            if restart {
                // No packet is under way for that long.
                kernel.0.borrow_mut().gone = Default::default();
                rulesets = Rulesets::adopt(kernel.clone()).unwrap();
            }
            let wanted = interned(&wanted);
            let rules: Vec<_> =
                wanted.iter().map(|ingress| PortRules { ingress: ingress.clone(), egress: Access::Everything }).collect();
            let now = |index: usize| has.get(index).map(|(numbers, _)| *numbers);
            let changes: Vec<_> = rules.iter().enumerate().map(|(index, rules)| Change { now: now(index), wanted: Some(rules) }).collect();
            let reader = |(index, (numbers, before)): (usize, &(Numbers, Arc<Ruleset>))| {
                Reader { id: numbers.ingress, before: Arc::clone(before), after: of(&wanted[index]) }
            };
            kernel.0.borrow_mut().readers = has.iter().enumerate().map(reader).collect();
            let (numbers, outcome) = rulesets.follow(&changes);
            outcome.unwrap();
            let moved = has.iter().zip(&numbers).any(|((before, _), now)| before != now);
            has = numbers.iter().copied().zip(wanted.iter().map(of)).collect();
            kernel.0.borrow_mut().readers =
                has.iter().map(|(numbers, rules)| Reader { id: numbers.ingress, before: Arc::clone(rules), after: Arc::clone(rules) }).collect();
            kernel.0.borrow_mut().look();
            let renewed = kernel.0.borrow().renewed;
            rulesets.applied(&numbers.iter().flat_map(|numbers| [numbers.ingress, numbers.egress]).collect(), moved).unwrap();
            prop_assert_eq!(rulesets.in_use(), in_use(&kernel));
            prop_assert!(!moved || kernel.0.borrow().renewed > renewed);
            for _ in 0..chores {
                rulesets.tidy(|| Ok(())).unwrap();
            }
            // A second look changes nothing.
            let writes = kernel.0.borrow().writes;
            let settled: Vec<_> =
                rules.iter().zip(&numbers).map(|(rules, numbers)| Change { now: Some(*numbers), wanted: Some(rules) }).collect();
            let (again, outcome) = rulesets.follow(&settled);
            outcome.unwrap();
            prop_assert_eq!(again, numbers);
            prop_assert_eq!(kernel.0.borrow().writes, writes);
        }
        while rulesets.tidy(|| Ok(())).unwrap() {}
        prop_assert_eq!(rulesets.in_use(), in_use(&kernel));
        let kernel = kernel.0.borrow();
        let used: BTreeSet<_> = has.iter().filter(|(_, rules)| !rules.entries().is_empty()).map(|(numbers, _)| numbers.ingress).collect();
        prop_assert_eq!(kernel.peers.keys().copied().collect::<BTreeSet<_>>(), used);
        let classes: BTreeSet<_> = kernel.peers.values().flat_map(|peers| peers.values().copied()).collect();
        prop_assert_eq!(kernel.classes.keys().copied().collect::<BTreeSet<_>>(), classes);
    }
}

/// What somebody else does to a table: to the ruleset of a port the peer's class, or none.
type Damage = (usize, Prefix, Option<u32>);

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    prop::collection::vec((0_usize..3, select(prefixes()), prop::option::of(1_u32..5)), 0..4)
}

proptest! {
    #[test]
    fn whatever_somebody_did_is_seen_and_undone(
        wanted in [ruleset(), ruleset(), ruleset()],
        damages in damage(),
        lost in prop::option::weighted(0.2, 1_u32..5),
    ) {
        let kernel = Watched::default();
        let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
        let wanted = wanted.map(Some);
        let rules: Vec<_> = interned(&wanted).into_iter().map(|ingress| PortRules { ingress, egress: Access::Everything }).collect();
        let (numbers, outcome) = rulesets.follow(&rules.iter().map(|rules| Change { now: None, wanted: Some(rules) }).collect::<Vec<_>>());
        outcome.unwrap();
        let before = (rulesets.loaded.clone(), kernel.0.borrow().peers.clone(), kernel.0.borrow().classes.clone());
        for (port, prefix, class) in damages {
            let id = numbers[port].ingress;
            let mut kernel = kernel.0.borrow_mut();
            match class {
                Some(class) => drop(kernel.peers.entry(id).or_default().insert(prefix, class)),
                None => drop(kernel.peers.get_mut(&id).and_then(|peers| peers.remove(&prefix))),
            }
            kernel.peers.retain(|_, peers| !peers.is_empty());
        }
        if let Some(class) = lost {
            kernel.0.borrow_mut().classes.remove(&class);
        }
        rulesets.read().unwrap();
        prop_assert_eq!(rulesets.in_use(), in_use(&kernel));
        // As one who was not there before reads it; what nobody touched stays the very same.
        prop_assert_eq!(&rulesets.loaded, &Rulesets::adopt(kernel.clone()).unwrap().loaded);
        for (id, loaded) in &before.0 {
            let touched = (kernel.0.borrow().peers.get(id) != before.1.get(id)) || kernel.0.borrow().classes != before.2;
            prop_assert!(touched || Arc::ptr_eq(loaded, &rulesets.loaded[id]));
        }
        let changes: Vec<_> = rules.iter().zip(&numbers).map(|(rules, now)| Change { now: Some(*now), wanted: Some(rules) }).collect();
        let (numbers, outcome) = rulesets.follow(&changes);
        outcome.unwrap();
        rulesets.applied(&numbers.iter().map(|numbers| numbers.ingress).collect(), true).unwrap();
        while rulesets.tidy(|| Ok(())).unwrap() {}
        let kernel = kernel.0.borrow();
        let found = |id: RulesetId, address| kernel.found(id, address);
        for (rules, numbers) in rules.iter().zip(&numbers) {
            let wanted = of(&rules.ingress);
            for address in addresses() {
                prop_assert_eq!(found(numbers.ingress, address), wanted.lookup(address));
            }
        }
        prop_assert!(kernel.peers.keys().all(|id| numbers.iter().any(|numbers| numbers.ingress == *id)));
    }
}

/// One member more or less is one write, and every port of the group goes on under its number.
#[test]
fn a_member_is_one_write() {
    let kernel = Watched::default();
    let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
    let member = |host: u128| ((Address::from_ip((0x2001_0db8 << 96 | host).into()), 128), allowance(22));
    let rules = |members: u128| PortRules {
        ingress: Access::Rules(Arc::new(Ruleset::new((1..=members).map(member)))),
        egress: Access::Everything,
    };
    let first = rules(1000);
    let (numbers, _) =
        rulesets.follow(&[Change { now: None, wanted: Some(&first) }, Change { now: None, wanted: Some(&first) }]);
    let used = BTreeSet::from([numbers[0].ingress]);
    rulesets.applied(&used, false).unwrap();
    while rulesets.tidy(|| Ok(())).unwrap() {}
    for members in [1001, 1000] {
        let (writes, renewed) = (kernel.0.borrow().writes, kernel.0.borrow().renewed);
        let changed = rules(members);
        let change = |numbers: &Numbers| Change { now: Some(*numbers), wanted: Some(&changed) };
        let (after, outcome) = rulesets.follow(&numbers.iter().map(change).collect::<Vec<_>>());
        outcome.unwrap();
        assert_eq!(after, numbers);
        assert_eq!(kernel.0.borrow().writes, writes + 1);
        rulesets.applied(&used, false).unwrap();
        assert_eq!(kernel.0.borrow().renewed, renewed + 1, "the flows of who left are put to the rules");
    }
}

/// A generation that was set back by hand is none that a flow may have.
#[test]
fn a_generation_does_not_come_twice() {
    let kernel = Watched::default();
    let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
    rulesets.applied(&BTreeSet::new(), true).unwrap();
    rulesets.applied(&BTreeSet::new(), true).unwrap();
    kernel.0.borrow_mut().generation = 1;
    rulesets.read().unwrap();
    rulesets.applied(&BTreeSet::new(), false).unwrap();
    assert_eq!(kernel.0.borrow().generation, 3);
}

fn ingress(ruleset: impl IntoIterator<Item = (Prefix, u16)>) -> PortRules {
    let entries = ruleset.into_iter().map(|(prefix, port)| (prefix, allowance(port)));
    PortRules { ingress: Access::Rules(Arc::new(Ruleset::new(entries))), egress: Access::Everything }
}

const EVERYBODY: Prefix = (Address::UNSPECIFIED, 0);

/// Tables that somebody else wrote lead nobody to the numbers that mean nothing and everything.
#[test]
fn reserved_numbers_are_nobodys() {
    let kernel = Watched::default();
    {
        let mut kernel = kernel.0.borrow_mut();
        kernel.classes.insert(1, (*allowance(22)).clone());
        for number in [0, u32::MAX - 1, u32::MAX] {
            kernel.peers.entry(RulesetId { number }).or_default().insert(EVERYBODY, 1);
        }
    }
    let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
    assert_eq!(kernel.0.borrow().peers.keys().copied().collect::<Vec<_>>(), [RulesetId { number: u32::MAX - 1 }]);
    rulesets.next = Next::after(u32::MAX - 2);
    let (wanted, now) = (ingress([(EVERYBODY, 23)]), RulesetId { number: 1 });
    let changes = [
        Change { now: None, wanted: Some(&wanted) },
        Change { now: Some(Numbers { ingress: now, egress: RulesetId::EVERYTHING }), wanted: None },
    ];
    let (numbers, outcome) = rulesets.follow(&changes);
    outcome.unwrap();
    assert_eq!(numbers[0].ingress, RulesetId { number: 2 });
}

/// Where there is no room for both, what goes makes room for what comes; meanwhile nobody may more than before or after.
#[test]
fn a_full_table_closes_before_it_opens() {
    let kernel = Watched::default();
    let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
    let member = |host: u128| ((Address::from_ip((0x2001_0db8 << 96 | host).into()), 128), 22);
    let before = ingress((0..10).map(member));
    let (numbers, _) = rulesets.follow(&[Change { now: None, wanted: Some(&before) }]);
    kernel.0.borrow_mut().room = Some(15);
    let after = ingress((10..20).map(member));
    let other = ingress([(EVERYBODY, 80)]);
    let changes = |numbers: &[Numbers], other| {
        [Change { now: numbers.first().copied(), wanted: Some(&after) }, Change { now: None, wanted: Some(other) }]
    };
    let (numbers, outcome) = rulesets.follow(&changes(&numbers, &other));
    outcome.unwrap();
    assert_eq!(kernel.0.borrow().peers[&numbers[0].ingress].len(), 10);
    // What does not fit at all is an error, and of no consequence for others.
    let large = ingress((100..200).map(member));
    let third = ingress([(EVERYBODY, 81)]);
    let wanted = [&after, &large, &third];
    let now = [Some(numbers[0]), None, Some(numbers[1])];
    let changes: Vec<_> =
        now.into_iter().zip(wanted).map(|(now, wanted)| Change { now, wanted: Some(wanted) }).collect();
    let (numbers, outcome) = rulesets.follow(&changes);
    assert!(outcome.is_err());
    assert_eq!(numbers[1].ingress, RulesetId::NOTHING);
    let kernel = kernel.0.borrow();
    assert_eq!(kernel.found(numbers[2].ingress, Address::UNSPECIFIED), Some(&*allowance(81)));
}
