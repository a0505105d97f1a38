//! What is put off: each after a grace period of its own, and again when there was none.

use std::collections::BTreeSet;

use super::super::{Change, Rulesets};
use super::watched::Watched;
use super::{EVERYBODY, ingress};
use crate::kernel::KernelError;

#[test]
fn nothing_that_was_put_off_is_done_before_a_grace_period() {
    let kernel = Watched::default();
    let mut rulesets = Rulesets::adopt(kernel.clone()).unwrap();
    let wanted = [ingress([(EVERYBODY, 22)]), ingress([(EVERYBODY, 23)])];
    let changes = wanted.each_ref().map(|wanted| Change { now: None, wanted: Some(wanted) });
    let (numbers, outcome) = rulesets.follow(&changes);
    outcome.unwrap();
    rulesets.applied(&numbers.iter().map(|numbers| numbers.ingress).collect(), false).unwrap();
    // Both ports are gone.
    rulesets.applied(&BTreeSet::new(), true).unwrap();

    let held = || {
        let kernel = kernel.0.borrow();
        (kernel.renewed, kernel.peers.len(), kernel.classes.len())
    };
    let (renewed, ..) = held();
    // Packets under way read the old rules until it has passed; then their flows, the rulesets and the classes have their turn.
    for after in [(renewed + 1, 2, 2), (renewed + 1, 0, 2), (renewed + 1, 0, 0)] {
        let before = held();
        assert!(rulesets.tidy(|| Err(KernelError::NotPermitted)).is_err());
        assert_eq!(held(), before);
        let mut waited = false;
        let wait = || {
            assert_eq!(held(), before);
            waited = true;
            Ok(())
        };
        assert!(rulesets.tidy(wait).unwrap());
        assert!(waited);
        assert_eq!(held(), after);
    }
    assert!(!rulesets.tidy(|| panic!("nothing is left to wait for")).unwrap());
}
