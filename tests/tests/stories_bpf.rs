//! The stories against the kernel program: verdict, reason, counters and events of every frame, and the flows in the map.

use ipv6_sg_common::abi::Hook;
use ipv6_sg_tests::object::{Object, runnable};
use ipv6_sg_tests::stories::{self, Act};
use ipv6_sg_tests::world::Ports;

#[test]
fn tc() {
    let mut object = Object::load(&Ports::Plain.setup());
    for story in stories::all() {
        object.set(&story.setup);
        for (place, act) in story.acts.iter().enumerate() {
            let name = format!("{} act {place}", story.name);
            match act {
                Act::Crosses(direction, frame, reason) => {
                    assert!(runnable(Hook::Tc, frame), "{name}: what is left out here changes what follows");
                    object.expect_tc(&name, *direction, frame, *reason);
                }
                Act::Becomes(setup) => object.change(setup),
                Act::Passes(time) => object.age(*time),
                Act::Remembers(flows) => {
                    let remembered = object.flows();
                    assert_eq!(remembered.len(), *flows, "{name}: {remembered:?}");
                }
            }
        }
    }
}
