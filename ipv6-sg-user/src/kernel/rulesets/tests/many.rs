//! Thousands of rulesets: how much work they are, counted.

use std::collections::BTreeSet;

use ipv6_sg_common::address::Address;

use super::super::{Change, Numbers, Rulesets};
use super::watched::Watched;
use super::{EVERYBODY, allowance, ingress};
use crate::compile::Prefix;
use crate::work;

/// However many rulesets there are, each is compared with its own like alone, and each port is asked a few times.
#[test]
fn many_rulesets_are_as_much_work_each_as_few() {
    const MANY: u16 = 2000;
    let kernel = Watched::default();
    let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
    let mut has: Vec<Numbers> = Vec::new();
    let mut step = |rulesets: &mut Rulesets<_>, first: u16, distinct: u16, peer: Prefix| {
        // Each has a class of its own. Two ports have it, and no two have it from the same compilation.
        let wanted = |port: u16| ingress([(peer, first + port % distinct)]);
        let wanted: Vec<_> = (0..2 * MANY).map(wanted).collect();
        let now = |index: usize| has.get(index).copied();
        let changes: Vec<_> =
            wanted.iter().enumerate().map(|(index, rules)| Change { now: now(index), wanted: Some(rules) }).collect();
        let ((numbers, outcome), work) = work::of(|| rulesets.follow(&changes));
        outcome.unwrap();
        assert!(work <= 8 * wanted.len(), "{work} pieces of work for {} ports", wanted.len());
        let written = kernel.0.borrow().peers.clone();
        for (numbers, port) in numbers.iter().zip(0..) {
            let class = written[&numbers.ingress][&peer];
            assert_eq!(kernel.0.borrow().classes[&class], *allowance(first + port % distinct));
        }
        let stay = now(0).is_some_and(|now| now == numbers[0]);
        let used: BTreeSet<_> = numbers.iter().map(|numbers| numbers.ingress).collect();
        assert_eq!(used.len(), usize::from(distinct));
        rulesets.applied(&used, true).unwrap();
        has = numbers;
        stay
    };
    let other = (Address::UNSPECIFIED, 1);
    assert!(!step(&mut rulesets, 1, MANY, EVERYBODY), "new");
    assert!(step(&mut rulesets, 1, MANY, EVERYBODY), "read from the files again");
    assert!(step(&mut rulesets, 1, MANY, other), "changed where they are");
    let (adopted, work) = work::of(|| Rulesets::adopt(kernel.clone()).unwrap());
    rulesets = adopted;
    assert!(work <= 8 * usize::from(MANY), "{work} pieces of work to adopt them");
    assert!(step(&mut rulesets, 1, MANY, other), "by another daemon");
    let ((), work) = work::of(|| rulesets.read().unwrap());
    assert!(work <= 8 * usize::from(MANY), "{work} pieces of work to look again");
    assert!(step(&mut rulesets, 1, MANY / 2, other), "half of them");
    assert!(step(&mut rulesets, 5000, MANY / 2, other), "with other classes");
    let ((), work) = work::of(|| while rulesets.tidy(|| Ok(())).unwrap() {});
    assert!(work <= 8 * usize::from(MANY), "{work} pieces of work to forget the others");
    let kernel = kernel.0.borrow();
    assert_eq!((kernel.peers.len(), kernel.classes.len()), (usize::from(MANY / 2), usize::from(MANY / 2)));
}
