//! The stories through a live port: what passes is seen at the other end, and what dies is counted.

use ipv6_sg_tests::live::Live;
use ipv6_sg_tests::stories::{self, Act};

fn run(mut live: Live) {
    for story in stories::all() {
        live.object.set(&story.setup);
        for (place, act) in story.acts.iter().enumerate() {
            let name = format!("{} act {place}", story.name);
            match act {
                Act::Crosses(direction, frame, reason) => live.cross(&name, *direction, frame, *reason),
                Act::Becomes(setup) => live.object.change(setup),
                Act::Passes(time) => live.object.age(*time),
                Act::Remembers(flows) => {
                    let remembered = live.object.flows();
                    assert_eq!(remembered.len(), *flows, "{name}: {remembered:?}");
                }
            }
        }
    }
    live.is_quiet();
}

#[test]
fn both_ways() {
    run(Live::open());
}

/// The shield leaves to tc what takes flows and rules, and drops for the same reasons what it drops.
#[test]
fn behind_the_shield() {
    run(Live::open().shield());
}
