//! Every ICMPv6 type beyond the link, both ways, under every kind of rule, with both settings of echo: against a table that
//! is read off the policy here.

use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::verdict::Reason::{self, *};
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire as _, Upper, icmpv6};
use ipv6_sg_tests::host::Host;
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::state;
use ipv6_sg_tests::world::*;

/// What the rules of both directions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    /// None at all.
    None,
    /// One for everything.
    All,
    /// One for ICMPv6.
    Icmpv6,
    /// One for TCP.
    Tcp,
    /// One for each type.
    Types,
    /// One for each type with code 1.
    Codes,
    /// One for each type, and one for everything.
    TypesAndAll,
}

impl Rules {
    const ALL: [Self; 7] =
        [Self::None, Self::All, Self::Icmpv6, Self::Tcp, Self::Types, Self::Codes, Self::TypesAndAll];

    fn text(self) -> String {
        let one = |traffic: &str| format!("{{ {traffic}, peers = [\"::/0\"] }}");
        let each = |code: &str| {
            let types = (0..=255).map(|kind| one(&format!("protocol = \"icmpv6\", type = {kind}{code}")));
            types.collect::<Vec<_>>().join(",\n")
        };
        match self {
            Self::None => String::new(),
            Self::All => one("protocol = \"all\""),
            Self::Icmpv6 => one("protocol = \"icmpv6\""),
            Self::Tcp => one("protocol = \"tcp\""),
            Self::Types => each(""),
            Self::Codes => each(", code = 1"),
            Self::TypesAndAll => format!("{},\n{}", each(""), one("protocol = \"all\"")),
        }
    }

    fn setup(self, echo: &str) -> Setup {
        let text = self.text();
        let group = format!("[security_group.vm]\ningress = [\n{text}\n]\negress = [\n{text}\n]");
        state::setup("types", &format!("security_groups = [\"vm\"]\necho = \"{echo}\""), &group)
    }

    /// Whether a rule names this type and code.
    const fn name(self, code: u8) -> bool {
        match self {
            Self::Types | Self::TypesAndAll => true,
            Self::Codes => code == 1,
            Self::None | Self::All | Self::Icmpv6 | Self::Tcp => false,
        }
    }

    /// Whether an echo message of this code may pass that answers nothing and is not answered.
    const fn allow(self, direction: Direction, code: u8) -> bool {
        match (self, direction) {
            (Self::None, FromVm) | (Self::All | Self::Icmpv6, _) => true,
            (Self::None, ToVm) | (Self::Tcp, _) => false,
            _ => self.name(code),
        }
    }
}

/// The policy on a message from or to an address beyond the link, with hop limit 64.
fn policy(rules: Rules, echo_by_rules: bool, direction: Direction, kind: u8, code: u8) -> Reason {
    match (kind, direction) {
        (1..=4, _) => IcmpError,
        (128 | 129, _) if !echo_by_rules => Echo,
        (128 | 129, _) if rules.allow(direction, code) => Allowed,
        (128 | 129, FromVm) => EgressDenied,
        (128 | 129, ToVm) => IngressDenied,
        (130, FromVm) => MldQueryFromVm,
        (130..=132 | 143, _) => MldHopLimit,
        (133, ToVm) => RsToVm,
        (134, FromVm) => RaFromVm,
        (137, FromVm) => RedirectFromVm,
        (133..=137, _) => NdHopLimit,
        (138..=142 | 144..=155, _) => IcmpForbidden,
        _ if rules.name(code) => Allowed,
        _ => IcmpNeedsRule,
    }
}

fn message(kind: u8, code: u8, from: std::net::Ipv6Addr, to: std::net::Ipv6Addr) -> Upper {
    match kind {
        // About a packet that went the other way.
        1..=4 => icmpv6::error(kind, code, &Ipv6::new(to, from, icmpv6::echo_request())),
        // Each direction and message asks with an identifier of its own: none is part of another's flow.
        128 | 129 => icmpv6::message(kind, code, &[kind, u8::from(from == VM), 0, 0, code, 0, 0, 0]),
        _ => icmpv6::message(kind, code, &[0; 40]),
    }
}

/// Calls `check` with every combination.
fn each(mut start: impl FnMut(&Setup), mut check: impl FnMut(&str, Direction, &Frame, Reason)) {
    for rules in Rules::ALL {
        for echo in ["always", "rules"] {
            start(&rules.setup(echo));
            for kind in 0..=255 {
                for code in [0, 1, 255] {
                    for (direction, from, to) in [(FromVm, VM, STRANGER), (ToVm, STRANGER, VM)] {
                        let frame = Ipv6::new(from, to, message(kind, code, from, to)).frame(direction);
                        let name = format!("type {kind} code {code} {} {rules:?} echo {echo}", direction.name());
                        check(&name, direction, &frame, policy(rules, echo == "rules", direction, kind, code));
                    }
                }
            }
        }
    }
}

#[test]
fn host_core_alone() {
    let host = std::cell::RefCell::new(Host::new(Ports::Plain.setup()));
    each(
        |setup| *host.borrow_mut() = Host::new(setup.clone()),
        |name, direction, frame, expected| assert_eq!(host.borrow().judge(direction, frame), expected, "{name}"),
    );
}

#[test]
fn kernel() {
    let object = std::cell::RefCell::new(Object::load(&Ports::Plain.setup()));
    each(
        |setup| object.borrow_mut().set(setup),
        |name, direction, frame, expected| {
            assert_eq!(object.borrow_mut().reason(direction, frame), expected, "{name}");
        },
    );
}
