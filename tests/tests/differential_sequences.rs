//! The kernel program against the host core on sequences that nobody thought of: after each frame the same reason, at the
//! end the same flows.
//!
//! `IPV6_SG_FUZZ_SEQUENCES` and `IPV6_SG_FUZZ_SEED` make it longer and other.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::time::Duration;

use ipv6_sg_common::abi::{Flow, FlowKey, Hook};
use ipv6_sg_common::verdict::Reason::{self, *};
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::object::{Object, runnable};
use ipv6_sg_tests::sequences::{Act, STEP, Sequences};
use ipv6_sg_tests::world::Ports;

/// Enough for flows to meet, and fewer than the port remembers first fragments.
const ACTS: usize = 120;

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
        Err(_) => default,
    }
}

/// What there is to compare of a flow.
#[derive(Debug, PartialEq, Eq)]
struct Remembered {
    opened: u8,
    spoken: u8,
    ended: u8,
    cut: u8,
    /// How many changes ago it was put to the rules last.
    behind: u32,
    /// How much earlier than the latest flow it was seen, in whole steps.
    before: u64,
}

/// The flows, and when the latest was seen.
fn remembered(flows: Vec<(FlowKey, Flow)>, generation: u32) -> BTreeMap<FlowKey, Remembered> {
    let step = u64::try_from(STEP.as_nanos()).expect("a minute");
    let latest = flows.iter().map(|(_, flow)| flow.seen_ns).max().unwrap_or(0);
    let of = |(key, flow): (FlowKey, Flow)| {
        let behind = generation.wrapping_sub(flow.generation);
        // The kernel's clock went on a little between the two.
        let before = (latest - flow.seen_ns + step / 2) / step;
        let Flow { opened, spoken, ended, cut, .. } = flow;
        (key, Remembered { opened, spoken, ended, cut, behind, before })
    };
    flows.into_iter().map(of).collect()
}

/// Runs one sequence and returns the reasons that came up, and how many flows were compared.
fn check(sequences: &mut Sequences, object: &mut Object, name: &str) -> (BTreeSet<Reason>, usize) {
    let setup = sequences.setup();
    object.set(&setup);
    let mut host = Host::new(setup);
    let mut told = Vec::new();
    let mut reasons = BTreeSet::new();
    while told.len() < ACTS {
        let act = sequences.act();
        told.push(act.clone());
        match act {
            Act::Crosses(direction, frame) if runnable(Hook::Tc, &frame) => {
                let wanted = host.judge(direction, &frame);
                let seen = object.reason(direction, &frame);
                assert_eq!(seen, wanted, "{name}, the last of {told:#?}");
                reasons.insert(seen);
            }
            Act::Crosses(..) => {}
            Act::Becomes(setup) => {
                host.change(&setup);
                object.change(&setup);
            }
            Act::Passes(steps) => {
                host.age(STEP * steps);
                object.age(STEP * steps);
            }
        }
    }
    let wanted = remembered(host.flows(), host.generation());
    let seen = remembered(object.flows(), object.generation());
    assert_eq!(seen, wanted, "{name}, the flows after {told:#?}");
    (reasons, seen.len())
}

#[test]
fn kernel_and_host_agree() {
    let wanted = number("IPV6_SG_FUZZ_SEQUENCES", 400);
    let seed = number("IPV6_SG_FUZZ_SEED", 0x6970_7636_7367);
    let mut sequences = Sequences::new(seed);
    let mut object = Object::load(&Ports::Plain.setup());
    let mut reasons = BTreeSet::new();
    let mut flows = 0;
    for number in 0..wanted {
        let (seen, compared) = check(&mut sequences, &mut object, &format!("sequence {number} of seed {seed}"));
        reasons.extend(seen);
        flows += compared;
    }
    // Sequences that all come to nothing would prove nothing.
    let often = [
        Allowed,
        Established,
        EgressDenied,
        IngressDenied,
        IcmpNeedsRule,
        Traffic,
        Echo,
        Fragment,
        FragmentUnknown,
        SourceSpoofed,
        SourcePrivacy,
        NotForThisVm,
    ];
    let missing: Vec<_> = often.into_iter().filter(|reason| !reasons.contains(reason)).collect();
    assert!(wanted < 400 || (missing.is_empty() && flows > 4000), "{missing:?} never came up; {flows} flows");
}

/// The same seed gives the same sequences, or a mismatch could not be looked at again.
#[test]
fn the_seed_decides() {
    let take = |seed| {
        let mut sequences = Sequences::new(seed);
        (0..100).map(|_| format!("{:?}", sequences.act())).collect::<Vec<_>>()
    };
    assert_eq!(take(1), take(1));
    assert_ne!(take(1), take(2));
}

/// No lifetime lies between two steps, where the clocks could tell different sides of it.
#[test]
fn lifetimes_are_whole_steps() {
    use ipv6_sg_common::abi::{FRAGMENT_LIFETIME_NS, FlowState};
    use ipv6_sg_common::verdict::lifetime_ns;
    let lifetimes = (0..=255).flat_map(|protocol| FlowState::ALL.map(|state| lifetime_ns(protocol, state)));
    for lifetime in lifetimes.chain([FRAGMENT_LIFETIME_NS]) {
        assert_eq!(
            lifetime % u64::try_from(STEP.as_nanos()).expect("a minute"),
            0,
            "{:?}",
            Duration::from_nanos(lifetime)
        );
    }
}
