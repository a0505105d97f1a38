//! Where the policy says what a reason says.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::{Reason, Step};

/// The section of the page that has a row for this reason.
pub(super) const fn section(direction: Direction, reason: Reason) -> &'static str {
    match reason.step() {
        Step::Quarantine => "docs/policy.md#the-order",
        Step::Layer2 => "docs/policy.md#layer-2",
        Step::Ipv6Header => "docs/policy.md#ipv6-header",
        Step::ExtensionHeaders => match reason {
            Reason::FragmentTwice
            | Reason::FragmentEmpty
            | Reason::FragmentLength
            | Reason::FragmentTooLong
            | Reason::FragmentHeadless => "docs/policy.md#fragments",
            _ => "docs/policy.md#extension-headers",
        },
        Step::UpperHeader => match reason {
            Reason::ChecksumOffload | Reason::SegmentOffload => "docs/policy.md#offloads",
            _ => "docs/policy.md#extension-headers",
        },
        Step::Addresses => "docs/policy.md#addresses",
        Step::Fragments => "docs/policy.md#fragments",
        Step::LinkRules => match reason {
            Reason::Dhcpv6
            | Reason::Dhcpv6ServerFromVm
            | Reason::Dhcpv6NotClient
            | Reason::Dhcpv6NotServer
            | Reason::Dhcpv6Type => "docs/policy.md#dhcpv6",
            Reason::LinkLocalTraffic => "docs/policy.md#everything-else",
            Reason::NdFragmented
            | Reason::NdHopLimit
            | Reason::NdCode
            | Reason::NdOptions
            | Reason::NdLinkLayerSpoofed
            | Reason::NdLinkLayerUnspecified => "docs/policy.md#every-nd-message",
            _ => match direction {
                Direction::FromVm => "docs/policy.md#from-the-vm",
                Direction::ToVm => "docs/policy.md#to-the-vm",
            },
        },
        Step::Rules => match (reason, direction) {
            (Reason::Traffic, _) => "docs/policy.md#everything-else",
            (Reason::IcmpNeedsRule, Direction::FromVm) => "docs/policy.md#from-the-vm",
            (Reason::IcmpNeedsRule, Direction::ToVm) => "docs/policy.md#to-the-vm",
            _ => "docs/policy.md#security-group-rules",
        },
    }
}

/// The stable name of a step, for programs.
pub(super) const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Quarantine => "quarantine",
        Step::Layer2 => "layer_2",
        Step::Ipv6Header => "ipv6_header",
        Step::ExtensionHeaders => "extension_headers",
        Step::UpperHeader => "upper_header",
        Step::Addresses => "addresses",
        Step::Fragments => "fragments",
        Step::LinkRules => "link_rules",
        Step::Rules => "rules",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/policy.md");

    /// Each heading as its anchor, and the text up to the next heading.
    fn sections() -> BTreeMap<String, String> {
        let mut sections = BTreeMap::<_, String>::new();
        let mut anchor = String::new();
        for line in PAGE.lines() {
            if line.starts_with('#') {
                let heading = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                anchor = heading.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-').collect();
                assert!(!sections.contains_key(&anchor), "two headings make the anchor {anchor}");
            }
            sections.entry(anchor.clone()).or_default().push_str(line);
        }
        sections
    }

    #[test]
    fn the_section_cited_is_on_the_page_and_names_the_reason() {
        let sections = sections();
        for reason in Reason::ALL {
            let cited = Direction::ALL.map(|direction| {
                let section = section(direction, reason);
                let anchor = section.strip_prefix("docs/policy.md#").expect("a place on the page");
                sections.get(anchor).unwrap_or_else(|| panic!("{reason}: docs/policy.md has no heading for {section}"))
            });
            // Some reasons exist in one direction only; the other's section need not know them.
            let named = cited.iter().any(|text| text.contains(&format!("`{reason}`")));
            assert!(named, "{reason} is not in the section cited for it");
        }
    }
}
