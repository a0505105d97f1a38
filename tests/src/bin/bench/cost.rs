//! Nanoseconds that one packet costs, by kind, beside an empty program in the same rounds. Ports without rules are here,
//! those with them in [`flows`].

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use anyhow::{Result, ensure};
use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_common::abi::programs;
use ipv6_sg_tests::frame::extension::{fragment, hop_by_hop};
use ipv6_sg_tests::frame::{Frame, Ipv6, OnWire, Upper, icmpv6, nd, raw, tcp, udp};
use ipv6_sg_tests::object::Object;
use ipv6_sg_tests::world::{
    ALL_NODES, DELEGATED_FIRST, NEIGHBOUR, NEIGHBOUR_MAC, NEIGHBOUR_SOLICITED, Ports, ROUTER_LINK_LOCAL, STRANGER, VM,
    VM_LINK_LOCAL, VM_MAC,
};

use crate::flows;
use crate::kernel::{self, Kind};
use crate::part::{Aim, Part};
use crate::table::Table;

/// Each round runs every kind once: what else the machine does hits all of them alike.
const ROUNDS: u32 = 15;
/// Some milliseconds a kind and round.
const REPEAT: u32 = 100_000;
/// The most an honest packet may cost, in empty programs.
const AIM: f64 = 4.0;

/// What a packet of some kind should come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Honest,
    Dropped,
}

struct Case {
    what: &'static str,
    kind: Kind,
    program: &'static str,
    fate: Fate,
    frame: Frame,
    best: Duration,
}

fn case(what: &'static str, direction: Direction, fate: Fate, packet: impl OnWire) -> Case {
    let program = match direction {
        FromVm => programs::FROM_VM,
        ToVm => programs::TO_VM,
    };
    Case { what, kind: Kind::Tc, program, fate, frame: packet.frame(direction), best: Duration::MAX }
}

fn shielded(what: &'static str, fate: Fate, packet: impl OnWire) -> Case {
    Case { kind: Kind::Xdp, program: programs::SHIELD, ..case(what, FromVm, fate, packet) }
}

fn cases() -> Vec<Case> {
    use Fate::{Dropped, Honest};
    let out = |upper: Upper| Ipv6::new(VM, STRANGER, upper);
    let back = |upper: Upper| Ipv6::new(STRANGER, VM, upper);
    let discovery = |upper: Upper| Ipv6::new(VM_LINK_LOCAL, NEIGHBOUR_SOLICITED, upper).hops(255);
    let advertisement = || Ipv6::new(VM_LINK_LOCAL, ALL_NODES, nd::ra(&[nd::prefix(VM)])).hops(255);
    let announced = Ipv6::new(ROUTER_LINK_LOCAL, ALL_NODES, nd::ra(&[nd::prefix(VM), nd::mtu(1500)])).hops(255);
    let delegated = out(udp(4000, 53, b"..")).from(DELEGATED_FIRST);
    let stranger = || out(udp(4000, 53, b"..")).from(STRANGER).to(NEIGHBOUR);
    let first = || raw(17, vec![0x5a; 64]);
    vec![
        case("TCP", FromVm, Honest, out(tcp(443, 40_000, 0x10))),
        case("UDP", FromVm, Honest, out(udp(4000, 53, b".."))),
        case("UDP from a delegated prefix", FromVm, Honest, delegated),
        case("echo request", FromVm, Honest, out(icmpv6::echo_request())),
        case("Neighbour Solicitation", FromVm, Honest, discovery(nd::ns(NEIGHBOUR, &[nd::slla(VM_MAC)]))),
        case("Neighbour Advertisement", FromVm, Honest, {
            Ipv6::new(VM, NEIGHBOUR, nd::na(VM, &[nd::tlla(VM_MAC)])).hops(255)
        }),
        case("UDP behind hop-by-hop", FromVm, Honest, out(udp(4000, 53, b"..")).ext(hop_by_hop(&[]))),
        case("first fragment", FromVm, Honest, out(first()).ext(fragment(1, 0, true))),
        case("later fragment", FromVm, Honest, out(first()).ext(fragment(1, 64, false))),
        case("TCP", ToVm, Honest, back(tcp(40_000, 443, 0x10))),
        case("UDP", ToVm, Honest, back(udp(53, 4000, b".."))),
        case("Router Advertisement", ToVm, Honest, announced),
        case("forged source", FromVm, Dropped, stranger()),
        case("wrong MAC", FromVm, Dropped, out(udp(4000, 53, b"..")).ethernet(FromVm).from(NEIGHBOUR_MAC)),
        case("Router Advertisement", FromVm, Dropped, advertisement()),
        case("not for this VM", ToVm, Dropped, back(udp(53, 4000, b"..")).to(NEIGHBOUR)),
        shielded("TCP", Honest, out(tcp(443, 40_000, 0x10))),
        shielded("forged source", Dropped, stranger()),
        shielded("Router Advertisement", Dropped, advertisement()),
    ]
}

/// Measures.
///
/// # Errors
/// A packet meets another fate than it should.
pub fn measure() -> Result<Part> {
    let (spoofing, cheap) = without_rules()?;
    let (flows, mut aims) = flows::measure()?;
    aims.insert(0, Aim::new(format!("without rules an honest packet costs at most {AIM} empty programs"), cheap));
    let note =
        "In runs of an empty program. First ports without rules, the best of several rounds; then ports with them, \
                each column another."
            .to_owned();
    Ok(Part { name: "cost", title: "One packet", note, tables: vec![spoofing, flows], aims, bars: None })
}

/// Measures ports without rules, and tells whether every honest packet keeps to the aim.
fn without_rules() -> Result<(Table, bool)> {
    let object = Object::load(&Ports::Delegated.setup());
    let empty = [(Kind::Tc, kernel::empty(Kind::Tc)?), (Kind::Xdp, kernel::empty(Kind::Xdp)?)];
    let mut base = [Duration::MAX; 2];
    let mut cases = cases();
    let any = Ipv6::new(VM, STRANGER, udp(4000, 53, b"..")).frame(FromVm);
    for round in 0..ROUNDS {
        for ((_, program), best) in empty.iter().zip(&mut base) {
            *best = (*best).min(kernel::run(program.as_fd(), &any.bytes, REPEAT)?.1);
        }
        for case in &mut cases {
            let program: BorrowedFd<'_> = object.program(case.program);
            if round == 0 {
                let (verdict, _) = kernel::run(program, &case.frame.bytes, 1)?;
                ensure!(case.fate == case.kind.fate(verdict), "{} is answered {verdict}", case.what);
            }
            case.best = case.best.min(kernel::run(program, &case.frame.bytes, REPEAT)?.1);
        }
    }

    let mut table = Table::new(["packet", "program", "verdict", "× empty", "ns"]);
    let mut kept = true;
    for ((kind, _), best) in empty.iter().zip(base) {
        table.row([
            format!("(empty {} program)", kind.name()),
            "-".into(),
            "-".into(),
            "1.0".into(),
            nanoseconds(best),
        ]);
    }
    for case in &cases {
        let [tc, xdp] = base;
        let base = if case.kind == Kind::Tc { tc } else { xdp };
        let ratio = case.best.as_secs_f64() / base.as_secs_f64();
        kept &= case.fate == Fate::Dropped || ratio <= AIM;
        let verdict = if case.fate == Fate::Honest { "pass" } else { "drop" };
        table.row([
            case.what.into(),
            case.program.trim_start_matches("ipv6_sg_").into(),
            verdict.into(),
            format!("{ratio:.1}"),
            nanoseconds(case.best),
        ]);
    }
    Ok((table, kept))
}

fn nanoseconds(time: Duration) -> String {
    time.as_nanos().to_string()
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Xdp => "XDP",
        }
    }

    /// What the programs' answers mean: `TC_ACT_UNSPEC` or `TC_ACT_SHOT`, `XDP_PASS` or `XDP_DROP`.
    const fn fate(self, verdict: i32) -> Fate {
        match (self, verdict) {
            (Self::Tc, -1) | (Self::Xdp, 2) => Fate::Honest,
            _ => Fate::Dropped,
        }
    }
}
