//! Forgeries on their way: who sends them, who would be their victims, and what becomes of them.

use std::time::Duration;

use ipv6_sg_common::abi::{Counters, Direction};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::forged::Forged;
use ipv6_sg_tests::lab::{Hypervisor, Wire, look};

use crate::stage::{Stage, TAP};

/// Packets take microseconds here; a busy machine takes a while to look.
const ARRIVAL: Duration = Duration::from_secs(2);

/// Sends forgeries one way, and looks where they could arrive.
pub struct Attack {
    direction: Direction,
    attacker: Wire,
    victims: Vec<Wire>,
}

impl Attack {
    /// From VM 1 or to it.
    pub fn new(stage: &Stage, direction: Direction) -> Self {
        let (attacker, victims) = match direction {
            Direction::FromVm => (&stage.vm1, vec![&stage.vm2, &stage.router]),
            Direction::ToVm => (&stage.router, vec![&stage.vm1]),
        };
        Self {
            direction,
            attacker: attacker.wire(),
            victims: victims.into_iter().map(|victim| victim.wire()).collect(),
        }
    }

    /// Whether it arrives; meant for before the guard is there.
    pub fn arrives(&self, forged: &Forged) -> bool {
        self.send(forged);
        look(ARRIVAL, || self.arrived(forged).then_some(())).is_some()
    }

    /// What comes of it at the guard, and whether that is what should.
    pub fn dies(&self, forged: &Forged, hypervisor: &Hypervisor) -> (String, bool) {
        let before = hypervisor.counters(TAP);
        let count = |counters: &Counters, reason| counters.direction(self.direction).of(reason).packets;
        self.send(forged);
        let counted = || count(&hypervisor.counters(TAP), forged.reason) > count(&before, forged.reason);
        let counted = look(ARRIVAL, || counted().then_some(())).is_some();
        // A packet is counted when its fate is sealed: one that passed is at its victims by now.
        let arrived = self.arrived(forged);
        if counted && !arrived {
            return (format!("dropped, {}", forged.reason), true);
        }
        let after = hypervisor.counters(TAP);
        let changed = Reason::ALL.into_iter().filter(|reason| count(&before, *reason) != count(&after, *reason));
        let changed: Vec<_> = changed.map(Reason::name).collect();
        let fate = if arrived { "arrives" } else { "does not arrive" };
        (format!("{fate}; counted: {}; expected: {}", changed.join(" "), forged.reason), false)
    }

    fn send(&self, forged: &Forged) {
        self.victims.iter().for_each(|victim| drop(victim.drain()));
        forged.frames.iter().for_each(|frame| self.attacker.send(frame));
    }

    /// Whether it has come since the last look.
    fn arrived(&self, forged: &Forged) -> bool {
        self.victims.iter().any(|victim| victim.drain().iter().any(|frame| frame.ends_with(forged.content())))
    }
}
