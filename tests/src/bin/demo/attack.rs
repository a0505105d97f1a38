//! Forgeries on their way: who sends them, who would be their victims, and what becomes of them.

use std::time::Duration;

use ipv6_sg_common::abi::{Counters, Direction};
use ipv6_sg_common::verdict::Reason;
use ipv6_sg_tests::forged::Forged;
use ipv6_sg_tests::lab::{Guest, Hypervisor, Wire, look};

use crate::report::Row;
use crate::stage::{Stage, TAP};

/// Packets take microseconds here; a busy machine takes a while to look.
const ARRIVAL: Duration = Duration::from_secs(2);

/// Sends forgeries one way, and looks where they could arrive.
pub struct Attack {
    /// The tap that they cross.
    tap: &'static str,
    direction: Direction,
    attacker: Wire,
    victims: Vec<Wire>,
}

impl Attack {
    /// From VM 1 or to it.
    pub fn new(stage: &Stage, direction: Direction) -> Self {
        match direction {
            Direction::FromVm => Self::on(TAP, direction, &stage.vm1, &[&stage.vm2, &stage.router]),
            Direction::ToVm => Self::on(TAP, direction, &stage.router, &[&stage.vm1]),
        }
    }

    /// From this sender over this tap.
    pub fn on(tap: &'static str, direction: Direction, attacker: &Guest, victims: &[&Guest]) -> Self {
        let victims = victims.iter().map(|victim| victim.wire()).collect();
        Self { tap, direction, attacker: attacker.wire(), victims }
    }

    /// Which of them arrive; meant for before there is what should drop them.
    pub fn before(&self, frames: &[Forged]) -> Vec<bool> {
        frames.iter().map(|forged| self.arrives(forged)).collect()
    }

    /// What becomes of them then, beside what became of them [before](Self::before).
    pub fn after(&self, frames: &[Forged], before: &[bool], hypervisor: &Hypervisor) -> Vec<Row> {
        let row = |(forged, arrived): (&Forged, &bool)| {
            let (after, as_expected) = self.dies(forged, hypervisor);
            let before = if *arrived { "arrives" } else { "is lost" };
            Row { what: forged.what, before, after, fine: *arrived && as_expected }
        };
        frames.iter().zip(before).map(row).collect()
    }

    fn arrives(&self, forged: &Forged) -> bool {
        self.send(forged);
        look(ARRIVAL, || self.arrived(forged).then_some(())).is_some()
    }

    /// What comes of it at the guard, and whether that is what should.
    fn dies(&self, forged: &Forged, hypervisor: &Hypervisor) -> (String, bool) {
        let before = hypervisor.counters(self.tap);
        let count = |counters: &Counters, reason| counters.direction(self.direction).of(reason).packets;
        self.send(forged);
        let counted = || count(&hypervisor.counters(self.tap), forged.reason) > count(&before, forged.reason);
        let counted = look(ARRIVAL, || counted().then_some(())).is_some();
        // A packet is counted when its fate is sealed: one that passed is at its victims by now.
        let arrived = self.arrived(forged);
        if counted && !arrived {
            return (format!("dropped, {}", forged.reason), true);
        }
        let after = hypervisor.counters(self.tap);
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
