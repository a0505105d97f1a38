//! What to do about the interfaces that are here, given what is wanted and what is already guarded. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ipv6_sg_common::abi::PortFlags;

use crate::compile::{self, PortRules};
use crate::kernel::{Attachment, PortEntry};

/// A port as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What its maps should hold, but for the numbers of its rules.
    pub entry: PortEntry,
    /// Its rules, if it has any.
    pub rules: Option<PortRules>,
}

impl Wanted {
    /// Lets nothing pass.
    const fn quarantined() -> Self {
        Self { entry: PortEntry::new(compile::quarantined()), rules: None }
    }

    const fn is_quarantined(&self) -> bool {
        self.entry.port.flags.has(PortFlags::QUARANTINED)
    }
}

/// What should be enforced on this host.
pub struct Desired {
    /// Ports by the name of their interface.
    pub ports: BTreeMap<String, Wanted>,
    /// How many flows a port can have at once.
    pub flows: u32,
    /// Whether an interface without a port drops everything.
    pub quarantine: Box<dyn Fn(&str) -> bool + Send>,
    /// Part of what is wanted could not be read: interfaces that nobody wants guarded are left as they are.
    pub incomplete: bool,
}

/// Everything to do, in order: guarding before releasing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Interfaces to guard, and with what.
    pub guard: Vec<(Attachment, Wanted)>,
    /// Interfaces to let go, with their name where they still exist.
    pub release: Vec<(u32, Option<String>)>,
}

/// Plans for the interfaces `present`, of which those in `known` carry something of ours and those in `suspended` were
/// taken off by an operator.
pub fn plan(desired: &Desired, present: &[Attachment], known: &BTreeSet<u32>, suspended: &BTreeSet<u32>) -> Plan {
    let mut plan = Plan::default();
    let mut gone = known.clone();
    for link in present {
        let wanted = if suspended.contains(&link.ifindex) {
            None
        } else {
            match desired.ports.get(&link.interface) {
                Some(port) => Some(port.clone()),
                None if (desired.quarantine)(&link.interface) => Some(Wanted::quarantined()),
                None => None,
            }
        };
        let was_known = gone.remove(&link.ifindex);
        let is_left = desired.incomplete && was_known && !suspended.contains(&link.ifindex);
        match wanted {
            Some(port) if !(is_left && port.is_quarantined()) => plan.guard.push((link.clone(), port)),
            _ if is_left => {}
            None if was_known => plan.release.push((link.ifindex, Some(link.interface.clone()))),
            _ => {}
        }
    }
    // The newest first: the others have been guarded for a while.
    plan.guard.sort_by_key(|(link, _)| known.contains(&link.ifindex));
    plan.release.extend(gone.into_iter().map(|ifindex| (ifindex, None)));
    plan
}

#[cfg(test)]
mod tests {
    use ipv6_sg_common::abi::Port;
    use ipv6_sg_common::mac::Mac;

    use super::*;

    fn link(interface: &str, ifindex: u32) -> Attachment {
        Attachment { interface: interface.to_owned(), ifindex }
    }

    fn port(last: u8) -> Wanted {
        let port = Port::new(Mac { octets: [6, 0, 0, 0, 0, last] }, PortFlags::default());
        Wanted { entry: PortEntry::new(port), rules: None }
    }

    fn desired(ports: &[(&str, u8)], quarantine: &'static str) -> Desired {
        Desired {
            ports: ports.iter().map(|(name, last)| ((*name).to_owned(), port(*last))).collect(),
            flows: 64,
            quarantine: Box::new(move |name| !quarantine.is_empty() && name.starts_with(quarantine)),
            incomplete: false,
        }
    }

    #[test]
    fn a_tap_that_appears_is_guarded_and_one_that_goes_is_released() {
        let desired = desired(&[("vnet1", 1), ("vnet2", 2)], "");
        let plan = plan(&desired, &[link("lo", 1), link("vnet1", 7)], &BTreeSet::from([5]), &BTreeSet::new());
        assert_eq!(plan.guard, [(link("vnet1", 7), port(1))]);
        assert_eq!(plan.release, [(5, None)]);
    }

    #[test]
    fn a_name_used_again_is_another_interface() {
        let desired = desired(&[("vnet1", 1)], "");
        let plan = plan(&desired, &[link("vnet1", 9)], &BTreeSet::from([7]), &BTreeSet::new());
        assert_eq!(plan.guard, [(link("vnet1", 9), port(1))]);
        assert_eq!(plan.release, [(7, None)]);
    }

    #[test]
    fn two_interfaces_that_swap_names_swap_ports() {
        let desired = desired(&[("vnet1", 1), ("vnet2", 2)], "");
        let present = [link("vnet2", 7), link("vnet1", 8)];
        let plan = plan(&desired, &present, &BTreeSet::from([7, 8]), &BTreeSet::new());
        assert_eq!(plan.guard, [(link("vnet2", 7), port(2)), (link("vnet1", 8), port(1))]);
        assert_eq!(plan.release, []);
    }

    #[test]
    fn the_newest_come_first() {
        let desired = desired(&[("vnet1", 1), ("vnet2", 2), ("vnet3", 3)], "");
        let present = [link("vnet1", 7), link("vnet2", 8), link("vnet3", 9)];
        let plan = plan(&desired, &present, &BTreeSet::from([7, 8]), &BTreeSet::new());
        assert_eq!(plan.guard.iter().map(|(link, _)| link.ifindex).collect::<Vec<_>>(), [9, 7, 8]);
    }

    #[test]
    fn what_left_the_state_is_released_or_quarantined() {
        let known = BTreeSet::from([7]);
        let present = [link("vnet1", 7)];
        let open = plan(&desired(&[], ""), &present, &known, &BTreeSet::new());
        assert_eq!((open.guard, open.release), (vec![], vec![(7, Some("vnet1".to_owned()))]));
        let closed = plan(&desired(&[], "vnet"), &present, &known, &BTreeSet::new());
        assert_eq!((closed.guard, closed.release), (vec![(link("vnet1", 7), Wanted::quarantined())], vec![]));
    }

    #[test]
    fn what_is_not_understood_is_left_as_it_is() {
        let incomplete = |quarantine| Desired { incomplete: true, ..desired(&[("vnet1", 1)], quarantine) };
        let present = [link("vnet1", 7), link("vnet2", 8), link("vnet3", 9)];
        let known = BTreeSet::from([7, 8]);
        let open = plan(&incomplete(""), &present, &known, &BTreeSet::new());
        assert_eq!((open.guard, open.release), (vec![(link("vnet1", 7), port(1))], vec![]));
        let closed = plan(&incomplete("vnet"), &present, &known, &BTreeSet::new());
        let guard = vec![(link("vnet3", 9), Wanted::quarantined()), (link("vnet1", 7), port(1))];
        assert_eq!((closed.guard, closed.release), (guard, vec![]));
        // Who takes it off knows.
        let off = plan(&incomplete(""), &present, &known, &BTreeSet::from([8]));
        assert_eq!(off.release, [(8, Some("vnet2".to_owned()))]);
    }

    #[test]
    fn what_an_operator_took_off_stays_off() {
        let desired = desired(&[("vnet1", 1)], "vnet");
        let present = [link("vnet1", 7), link("vnet2", 8)];
        let plan = plan(&desired, &present, &BTreeSet::from([7]), &BTreeSet::from([7, 8]));
        assert_eq!(plan, Plan { guard: vec![], release: vec![(7, Some("vnet1".to_owned()))] });
    }
}
