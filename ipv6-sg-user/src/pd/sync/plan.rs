//! What is to be done so that the VMs that there are have prefixes, and those that are no more have none. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipv6_sg_common::mac::Mac;

/// A VM's NIC, as somebody says who knows all VMs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The VM's name.
    pub vm: String,
    /// Its MAC.
    pub mac: Mac,
    /// It was destroyed and can be brought back: it keeps what it has, and gets nothing.
    pub destroyed: bool,
}

/// A VM that has prefixes of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its MAC.
    pub mac: Mac,
    /// Its name, where that is recorded.
    pub vm: Option<String>,
    /// The cloud that it has them for; none where they were given by hand.
    pub followed: Option<String>,
    /// Since when it is missing, in seconds since 1970.
    pub missing_since: Option<i64>,
    /// How many prefixes of the wanted length it has.
    pub prefixes: usize,
}

/// How it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// The cloud that lists its VMs. Those of other clouds are not its own to take from.
    pub cloud: &'a str,
    /// How many prefixes each VM shall have.
    pub count: usize,
    /// How long one that is missing keeps them.
    pub grace: Duration,
}

/// What to do about one VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The VM.
    pub vm: String,
    /// Its MAC.
    pub mac: Mac,
    /// What to do.
    pub action: Action,
    /// Since when it was missing when this was planned.
    pub missing_since: Option<i64>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It gets what it lacks, and is followed from now on.
    Allocate,
    /// It is missing from now on.
    Miss,
    /// It is missing still, and has so many seconds left.
    Wait(u64),
    /// It is there again.
    Find,
    /// It loses its prefixes.
    Release,
    /// Nothing, for this reason, which a person has to mend.
    Leave(String),
}

/// What to do, releases first: a MAC may be another VM's by now.
pub fn plan(residents: &[Resident], recorded: &[Recorded], rule: Rule<'_>, now: i64) -> Vec<Step> {
    let recorded: BTreeMap<Mac, &Recorded> = recorded.iter().map(|recorded| (recorded.mac, recorded)).collect();
    let ours = |known: &Recorded| known.followed.as_deref() == Some(rule.cloud);
    let mut by_mac: BTreeMap<Mac, BTreeMap<&str, &Resident>> = BTreeMap::new();
    for resident in residents {
        by_mac.entry(resident.mac).or_default().insert(&resident.vm, resident);
    }
    let (mut releases, mut steps) = (Vec::new(), Vec::new());
    for (mac, residents) in &by_mac {
        let known = recorded.get(mac).copied();
        let mut vms = residents.values().filter(|resident| !resident.destroyed);
        let (Some(resident), others) = (vms.next(), vms.next()) else { continue };
        let missing_since = known.and_then(|known| known.missing_since);
        let step = |action| Step { vm: resident.vm.clone(), mac: *mac, action, missing_since };
        if let Some(other) = others {
            let why = format!("{} has the same MAC, and the DHCPv6 server knows VMs by nothing else", other.vm);
            steps.push(step(Action::Leave(why)));
            continue;
        }
        match known.map(|known| (known, known.vm.as_deref())) {
            Some((known, Some(vm))) if vm != resident.vm => {
                if !ours(known) {
                    let of = known
                        .followed
                        .as_ref()
                        .map_or_else(|| "by hand".to_owned(), |cloud| format!("of cloud {cloud}"));
                    let why =
                        format!("its MAC has prefixes as {vm}, {of}; `ipv6-sg pd release --mac {mac}` takes them back");
                    steps.push(step(Action::Leave(why)));
                } else if residents.contains_key(vm) {
                    let why =
                        format!("{vm}, which was destroyed and can be brought back, has prefixes by the same MAC");
                    steps.push(step(Action::Leave(why)));
                } else {
                    releases.push(Step { vm: vm.to_owned(), ..step(Action::Release) });
                    steps.push(step(Action::Allocate));
                }
            }
            // Reserved by hand, and nobody's who is recorded: it is enough.
            Some((known, None)) if known.prefixes >= rule.count => {}
            Some((known, _)) if !ours(known) && known.followed.is_some() => {
                let cloud = known.followed.as_deref().unwrap_or_default();
                let why = format!("it has prefixes of cloud {cloud}; `ipv6-sg pd release --mac {mac}` takes them back");
                steps.push(step(Action::Leave(why)));
            }
            Some((known, _)) if ours(known) && known.prefixes >= rule.count => {}
            _ => steps.push(step(Action::Allocate)),
        }
    }
    let there: BTreeSet<(Mac, &str)> = residents.iter().map(|resident| (resident.mac, resident.vm.as_str())).collect();
    let settled: BTreeSet<Mac> = releases.iter().chain(&steps).map(|step: &Step| step.mac).collect();
    for known in recorded.values().filter(|known| ours(known) && !settled.contains(&known.mac)) {
        let Some(vm) = known.vm.as_deref() else { continue };
        let missing_since = known.missing_since;
        let step = |action| Step { vm: vm.to_owned(), mac: known.mac, action, missing_since };
        if there.contains(&(known.mac, vm)) {
            if known.missing_since.is_some() {
                steps.push(step(Action::Find));
            }
            continue;
        }
        let grace = i64::try_from(rule.grace.as_secs()).unwrap_or(i64::MAX);
        let left = known.missing_since.map_or(grace, |since| since.saturating_add(grace).saturating_sub(now));
        let action = match (u64::try_from(left), known.missing_since) {
            (Err(_) | Ok(0), _) => Action::Release,
            (Ok(_), None) => Action::Miss,
            (Ok(left), Some(_)) => Action::Wait(left),
        };
        let list = if action == Action::Release { &mut releases } else { &mut steps };
        list.push(step(action));
    }
    releases.extend(steps);
    releases
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule<'_> = Rule { cloud: "mgmt", count: 1, grace: Duration::from_secs(100) };

    fn mac(last: u8) -> Mac {
        Mac { octets: [6, 0, 0, 0, 0, last] }
    }

    fn resident(vm: &str, last: u8) -> Resident {
        Resident { vm: vm.to_owned(), mac: mac(last), destroyed: false }
    }

    fn known(vm: &str, last: u8) -> Recorded {
        let vm = (!vm.is_empty()).then(|| vm.to_owned());
        Recorded { mac: mac(last), vm, followed: Some("mgmt".to_owned()), missing_since: None, prefixes: 1 }
    }

    /// Each step as `action vm last-octet`.
    fn steps(residents: &[Resident], recorded: &[Recorded], rule: Rule<'_>) -> Vec<String> {
        let word = |action: Action| match action {
            Action::Allocate => "allocate".to_owned(),
            Action::Miss => "miss".to_owned(),
            Action::Wait(left) => format!("wait {left}"),
            Action::Find => "find".to_owned(),
            Action::Release => "release".to_owned(),
            Action::Leave(why) => format!("leave, {why}:"),
        };
        let steps = plan(residents, recorded, rule, 1000).into_iter();
        steps.map(|Step { vm, mac, action, .. }| format!("{} {vm} {}", word(action), mac.octets[5])).collect()
    }

    #[test]
    fn vms_come_and_go() {
        let missing = |since| Recorded { missing_since: Some(since), ..known("a", 1) };
        let none = Rule { grace: Duration::ZERO, ..RULE };
        assert_eq!(steps(&[resident("a", 1)], &[], RULE), ["allocate a 1"]);
        assert_eq!(steps(&[resident("a", 1)], &[known("a", 1)], RULE), [""; 0]);
        assert_eq!(steps(&[resident("a", 1)], &[known("a", 1)], Rule { count: 2, ..RULE }), ["allocate a 1"]);
        assert_eq!(steps(&[], &[known("a", 1)], RULE), ["miss a 1"]);
        assert_eq!(steps(&[], &[missing(950)], RULE), ["wait 50 a 1"]);
        assert_eq!(steps(&[], &[missing(900)], RULE), ["release a 1"]);
        assert_eq!(steps(&[], &[known("a", 1)], none), ["release a 1"]);
        assert_eq!(steps(&[resident("a", 1)], &[missing(900)], RULE), ["find a 1"]);
        // One that can be brought back.
        let destroyed = Resident { destroyed: true, ..resident("a", 1) };
        assert_eq!(steps(std::slice::from_ref(&destroyed), &[known("a", 1)], none), [""; 0]);
        assert_eq!(steps(std::slice::from_ref(&destroyed), &[missing(900)], none), ["find a 1"]);
        assert_eq!(steps(&[destroyed], &[], none), [""; 0]);
    }

    #[test]
    fn what_was_given_by_hand_is_not_taken() {
        let by_hand = |vm: &str| Recorded { followed: None, ..known(vm, 1) };
        assert_eq!(steps(&[], &[by_hand("a"), known("b", 2)], RULE), ["miss b 2"]);
        // Whoever is there is followed from now on, unless nobody knows whose it is.
        assert_eq!(steps(&[resident("a", 1)], &[by_hand("a")], RULE), ["allocate a 1"]);
        assert_eq!(steps(&[resident("a", 1)], &[by_hand("")], RULE), [""; 0]);
        let found = steps(&[resident("a", 1)], &[by_hand("b")], RULE);
        assert!(found.len() == 1 && found[0].starts_with("leave, its MAC has prefixes as b, by hand"), "{found:?}");
    }

    /// Two clouds may have one pool.
    #[test]
    fn what_is_another_clouds_is_not_taken() {
        let of_other = |vm: &str| Recorded { followed: Some("other".to_owned()), ..known(vm, 1) };
        let none = Rule { grace: Duration::ZERO, ..RULE };
        assert_eq!(steps(&[], &[of_other("a")], none), [""; 0]);
        for resident in [resident("a", 1), resident("b", 1)] {
            let found = steps(&[resident], &[of_other("a")], none);
            assert!(
                found.len() == 1 && found[0].starts_with("leave, ") && found[0].contains("cloud other"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_mac_that_is_anothers_by_now() {
        assert_eq!(steps(&[resident("b", 1)], &[known("a", 1)], RULE), ["release a 1", "allocate b 1"]);
        let found = steps(&[resident("a", 1), resident("b", 1)], &[known("a", 1)], RULE);
        assert!(found.len() == 1 && found[0].starts_with("leave, b has the same MAC"), "{found:?}");
        let destroyed = Resident { destroyed: true, ..resident("a", 1) };
        let found = steps(&[destroyed, resident("b", 1)], &[known("a", 1)], RULE);
        assert!(found.len() == 1 && found[0].starts_with("leave, a, which was destroyed"), "{found:?}");
    }
}
