//! The text of the agent's rules: what is understood is written as it is read.
#![no_main]

use ipv6_sg::cloudstack::agent::Rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(rules) = Rules::parse(text) {
        assert_eq!(Rules::parse(&rules.to_string()), Ok(rules));
    }
});
