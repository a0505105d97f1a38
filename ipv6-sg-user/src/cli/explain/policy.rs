//! Where the policy says what a reason says.

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::{Reason, Step};

/// The section of the policy, and the row or rule in it.
pub(super) const fn section(direction: Direction, reason: Reason) -> (&'static str, &'static str) {
    let side = match direction {
        Direction::FromVm => "From the VM",
        Direction::ToVm => "To the VM",
    };
    let layer2 = match direction {
        Direction::FromVm => "L2 source, L2 tags, L2 type",
        Direction::ToVm => "L2",
    };
    match reason.step() {
        Step::Quarantine => ("Settings", "quarantine"),
        Step::Layer2 => (side, layer2),
        Step::Ipv6Header => (side, "IPv6 header"),
        Step::ExtensionHeaders => match reason {
            Reason::FragmentTwice
            | Reason::FragmentEmpty
            | Reason::FragmentLength
            | Reason::FragmentTooLong
            | Reason::FragmentHeadless => ("Fragments", side),
            Reason::RoutingType0 | Reason::RoutingSegmentsLeft => (side, "routing header"),
            _ => (side, "ext. headers"),
        },
        Step::UpperHeader => (side, "upper header"),
        Step::Addresses => (side, "source, destination"),
        Step::Fragments => ("Fragments", side),
        Step::LinkRules => match reason {
            Reason::Dhcpv6
            | Reason::Dhcpv6ServerFromVm
            | Reason::Dhcpv6NotClient
            | Reason::Dhcpv6NotServer
            | Reason::Dhcpv6Type => (side, "DHCPv6"),
            Reason::LinkLocalTraffic => (side, "link-local"),
            _ => match direction {
                Direction::FromVm => ("ICMPv6 from the VM", "by type"),
                Direction::ToVm => (side, "ICMPv6, by type"),
            },
        },
        Step::Rules => ("Security-group rules", side),
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
