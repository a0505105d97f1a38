//! The page that explains the policy to people has a row for every reason.

use ipv6_sg_common::verdict::Reason;

const PAGE: &str = include_str!("../../docs/policy.md");

#[test]
fn every_reason_is_explained() {
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !PAGE.contains(&format!("`{reason}`"))).collect();
    assert!(missing.is_empty(), "docs/policy.md says nothing of {missing:?}");
}
