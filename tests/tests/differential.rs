//! The kernel program against the host core on frames that nobody thought of: the same verdict and the same reason.
//!
//! `IPV6_SG_FUZZ_FRAMES` and `IPV6_SG_FUZZ_SEED` make it longer and other.
//!
//! Reading counters after each frame costs more than running it, so they are compared after a whole batch; where they
//! differ, the batch is run again frame by frame to find the one.

use std::collections::BTreeSet;
use std::env;

use ipv6_sg_common::abi::{Counters, Direction, Hook};
use ipv6_sg_common::verdict::{Action, Reason};
use ipv6_sg_tests::frame::Frame;
use ipv6_sg_tests::fuzz::Frames;
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::object::{Object, runnable, shielded};
use ipv6_sg_tests::world::{Ports, Setup};

/// Frames between two looks at the counters. Fewer than the port remembers first fragments, so that none is forgotten
/// by the kernel and remembered by the host.
const BATCH: usize = 200;

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
        Err(_) => default,
    }
}

/// One batch: frames that cross one port one way.
struct Batch {
    setup: Setup,
    direction: Direction,
    frames: Vec<Frame>,
}

impl Batch {
    fn make(frames: &mut Frames, hook: Hook) -> Self {
        // No shield stands on the way to the VM.
        let direction = if hook == Hook::Xdp { Direction::FromVm } else { *frames.random().pick(&Direction::ALL) };
        // In quarantine nothing is looked at: the corpus has enough of that.
        let ports = Ports::ALL.map(|ports| if ports == Ports::Quarantined { Ports::Several } else { ports });
        let setup = frames.random().pick(&ports).setup();
        let mut batch = Self { setup, direction, frames: Vec::new() };
        while batch.frames.len() < BATCH {
            let frame = frames.next(direction);
            if runnable(hook, &frame) {
                batch.frames.push(frame);
            }
        }
        batch
    }

    /// What each frame should come to: the verdict, and the reason under which it is counted, if it is.
    fn expected(&self, hook: Hook) -> Vec<(Action, Option<Reason>)> {
        let host = Host::new(self.setup.clone());
        let of = |frame| {
            let reason = host.judge(self.direction, frame);
            // The shield counts only what it drops.
            match hook {
                Hook::Tc => (reason.action(), Some(reason)),
                Hook::Xdp => match shielded(&self.setup, reason) {
                    Action::Pass => (Action::Pass, None),
                    Action::Drop => (Action::Drop, Some(reason)),
                },
            }
        };
        self.frames.iter().map(of).collect()
    }

    fn run(&self, hook: Hook, object: &Object, frame: &Frame) -> Action {
        match hook {
            Hook::Tc => object.tc(self.direction, frame).expect("long enough"),
            Hook::Xdp => object.xdp(frame).expect("long enough"),
        }
    }

    fn add(&self, counters: &mut Counters, frame: &Frame, reason: Option<Reason>) {
        if let Some(reason) = reason {
            let count = counters.direction_mut(self.direction).of_mut(reason);
            count.packets += 1;
            count.bytes += frame.bytes.len() as u64;
        }
    }

    /// Runs the batch and panics at the first frame on which the two disagree.
    fn check(&self, hook: Hook, object: &mut Object) {
        object.set(&self.setup);
        let expected = self.expected(hook);
        let mut wanted = Counters::default();
        let mut same = true;
        for (frame, (action, reason)) in self.frames.iter().zip(&expected) {
            self.add(&mut wanted, frame, *reason);
            same &= self.run(hook, object, frame) == *action;
        }
        if same && counted(object) == wanted {
            return;
        }
        object.reset();
        let mut before = Counters::default();
        for (index, (frame, (action, reason))) in self.frames.iter().zip(&expected).enumerate() {
            let seen = self.run(hook, object, frame);
            let after = counted(object);
            let reasons: Vec<_> = Reason::ALL
                .into_iter()
                .filter(|reason| {
                    after.direction(self.direction).of(*reason) != before.direction(self.direction).of(*reason)
                })
                .collect();
            self.add(&mut before, frame, *reason);
            assert!(
                seen == *action && after == before,
                "{hook:?} on port {}, {}: {seen:?} for {reasons:?}, but the host says {action:?} for {reason:?}; \
                 frame {index} of its batch: {frame:?}",
                self.setup.name,
                self.direction.name(),
            );
        }
        panic!("{hook:?}: a batch differed, but not when it was run again");
    }
}

/// The counters without the limit on events, which is not about frames.
fn counted(object: &Object) -> Counters {
    Counters { suppressed: 0, ..object.counters() }
}

#[test]
fn kernel_and_host_agree() {
    let wanted = usize::try_from(number("IPV6_SG_FUZZ_FRAMES", 200_000)).expect("a count");
    let seed = number("IPV6_SG_FUZZ_SEED", 0x6970_7636_7367);
    let mut frames = Frames::new(seed);
    let mut object = Object::load(&Ports::Plain.setup());
    let mut reasons = BTreeSet::new();
    let mut done = 0;
    while done < wanted {
        // Two of three for tc: it has two directions.
        let hook = if frames.random().one_in(3) { Hook::Xdp } else { Hook::Tc };
        let batch = Batch::make(&mut frames, hook);
        batch.check(hook, &mut object);
        reasons.extend(batch.expected(hook).into_iter().filter_map(|(_, reason)| reason));
        done += batch.frames.len();
    }
    // Frames that all die of the same few reasons would prove nothing. These no frame of a test run can have: what is left
    // to be done to a frame is not in it.
    use Reason::{ChecksumOffload, FrameTruncated, Ipv4Offload, Quarantined, SegmentOffload};
    let never = [Quarantined, FrameTruncated, Ipv4Offload, ChecksumOffload, SegmentOffload];
    let missing: Vec<_> = Reason::ALL.into_iter().filter(|r| !reasons.contains(r) && !never.contains(r)).collect();
    assert!(missing.is_empty() || done < 200_000, "no frame of seed {seed} came to {missing:?}");
}

/// The same seed gives the same frames, or a mismatch could not be looked at again.
#[test]
fn the_seed_decides() {
    let take = |seed| {
        let mut frames = Frames::new(seed);
        (0..100).map(|_| frames.next(Direction::FromVm)).collect::<Vec<_>>()
    };
    assert_eq!(take(1), take(1));
    assert_ne!(take(1), take(2));
}
