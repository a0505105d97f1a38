//! The body of a call of CloudStack's agent, as the daemon's socket gets it, to what it has become after all calls before.
#![no_main]

use std::time::SystemTime;

use ipv6_sg::cloudstack::Taps;
use ipv6_sg::cloudstack::agent::{Command, Networks, Registry, Vm, declare};
use ipv6_sg::daemon::AgentCall;
use ipv6_sg::state::Model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bodies: Vec<Vec<u8>>| {
    let mut registry = Registry::default();
    for body in bodies {
        // As JSON, or else as words, so that the parser is not all that is reached.
        let arguments = match serde_json::from_slice::<AgentCall>(&body) {
            Ok(call) => call.arguments,
            Err(_) => String::from_utf8_lossy(&body).split(' ').map(str::to_owned).collect(),
        };
        let Ok(command) = Command::parse(&arguments) else { continue };
        let before = registry.clone();
        if let Ok(change) = registry.apply(&command, SystemTime::UNIX_EPOCH) {
            let mut undone = registry.clone();
            undone.undo(change);
            assert_eq!(undone, before);
        }
    }
    for vm in registry.vms().values() {
        let written = vm.write().expect("a record");
        assert_eq!(Vm::read(&written).expect("our own record"), *vm);
    }
    // Whatever was said, it is sound or refused.
    let _ = Model::assemble([declare(&registry, &Taps::default(), &Networks::default())]);
});
