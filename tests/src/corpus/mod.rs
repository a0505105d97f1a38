//! Named frames, each with the verdict and the reason that the policy asks for.
//!
//! The expectations are a reading of the policy, not of the code: where a case fails, the policy says who is wrong. A
//! case breaks one rule at a time, unless the order of the checks is what it is about.

mod addresses;
mod dhcpv6;
mod echo_and_errors;
mod evasions;
mod extensions;
mod fragments;
mod header;
mod honest;
mod layer2;
mod link_local;
mod mld;
mod nd_from_vm;
mod nd_options;
mod nd_to_vm;
mod offloads;
mod rules;
mod settings;
mod upper;

use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::verdict::Reason;

use crate::frame::{Frame, OnWire};
use crate::world::Ports;

/// The row of the policy that a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the policy's")]
pub enum Section {
    Quarantine,
    Layer2Address,
    Layer2Tags,
    Layer2Type,
    Ipv6Header,
    ExtensionHeaders,
    RoutingHeader,
    UpperHeader,
    Offloads,
    Fragments,
    Source,
    Destination,
    LinkLocal,
    Dhcpv6Client,
    Dhcpv6Server,
    Rules,
    Errors,
    Echo,
    MldQuery,
    Mld,
    RouterSolicitation,
    RouterAdvertisement,
    NeighbourSolicitation,
    NeighbourAdvertisement,
    Redirect,
    ForbiddenTypes,
    OtherTypes,
    NdOptions,
    NdFragments,
}

/// One or more frames that cross a port one after the other.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique.
    pub name: String,
    /// The port they cross.
    pub ports: Ports,
    /// Which way.
    pub direction: Direction,
    /// What the case is about.
    pub section: Section,
    /// The frames and what becomes of them.
    pub steps: Vec<(Frame, Reason)>,
}

impl Case {
    fn new(
        direction: Direction,
        name: impl Into<String>,
        section: Section,
        packet: impl OnWire,
        reason: Reason,
    ) -> Self {
        let steps = vec![(packet.frame(direction), reason)];
        Self { name: name.into(), ports: Ports::Plain, direction, section, steps }
    }

    /// The same on another port than the plain one.
    #[must_use]
    fn on(self, ports: Ports) -> Self {
        Self { ports, ..self }
    }

    /// And then this.
    #[must_use]
    fn then(mut self, packet: impl OnWire, reason: Reason) -> Self {
        self.steps.push((packet.frame(self.direction), reason));
        self
    }
}

fn from_vm(name: impl Into<String>, section: Section, packet: impl OnWire, reason: Reason) -> Case {
    Case::new(Direction::FromVm, name, section, packet, reason)
}

fn to_vm(name: impl Into<String>, section: Section, packet: impl OnWire, reason: Reason) -> Case {
    Case::new(Direction::ToVm, name, section, packet, reason)
}

/// Every case.
pub fn all() -> Vec<Case> {
    [
        settings::cases(),
        layer2::cases(),
        header::cases(),
        extensions::cases(),
        upper::cases(),
        offloads::cases(),
        fragments::cases(),
        addresses::cases(),
        link_local::cases(),
        dhcpv6::cases(),
        echo_and_errors::cases(),
        mld::cases(),
        nd_from_vm::cases(),
        nd_to_vm::cases(),
        nd_options::cases(),
        evasions::cases(),
        rules::cases(),
        honest::cases(),
    ]
    .concat()
}
