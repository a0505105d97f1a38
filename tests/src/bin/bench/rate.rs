//! What the VM's port carries: every kind of filter has its turn on a path of its own, all alike but for the filter.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipv6_sg_common::abi::Direction::{self, FromVm, ToVm};
use ipv6_sg_tests::frame::Frame;
use ipv6_sg_tests::lab::Guest;
use ipv6_sg_tests::world::STRANGER;

use crate::bulk::Connection;
use crate::chart::{Bars, Scale};
use crate::datagram::Datagrams;
use crate::middle::middle;
use crate::part::{Aim, Part};
use crate::rivals::nft::Tracking;
use crate::sender::send;
use crate::stage::{Filter, RULES, Stage};
use crate::table::Table;

/// How often each has its turn: many short ones, so that what the machine does besides hits all alike.
const ROUNDS: usize = 60;
const TURN: Duration = Duration::from_millis(20);
/// The least of the unfiltered rate that has to be left to packets of known flows.
const LEAST: f64 = 0.95;
/// How much the number of VMs may change.
const FLAT: f64 = 0.10;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// Datagrams of one flow, in which both have spoken.
    Known(Direction),
    /// Datagrams that each open a flow.
    New(Direction),
    /// A TCP connection of the VM's.
    Bulk,
}

const LOADS: [Load; 5] = [Load::Known(FromVm), Load::Known(ToVm), Load::New(FromVm), Load::New(ToVm), Load::Bulk];

impl Load {
    const fn name(self) -> &'static str {
        match self {
            Self::Known(FromVm) => "known flow, from VM",
            Self::Known(ToVm) => "known flow, to VM",
            Self::New(FromVm) => "new flows, from VM",
            Self::New(ToVm) => "new flows, to VM",
            Self::Bulk => "TCP from VM",
        }
    }
}

/// Rates by load and stage.
type Rates = Vec<[f64; LOADS.len()]>;

/// Measures all of them.
///
/// # Errors
/// A filter cannot be programmed, or lets nothing through.
pub fn measure() -> Result<Part> {
    let (tracking, refusal) = Tracking::of_this_kernel();
    let filters = [
        (Filter::None, 0),
        (Filter::Empty, 0),
        (Filter::Spoofing, 1),
        (Filter::Guard, 1),
        (Filter::Guard, 100),
        (Filter::Guard, 1000),
        (Filter::Stock, 1),
        (Filter::Stock, 100),
        (Filter::Nft(tracking), 1),
        (Filter::Nft(tracking), 100),
    ];
    let stages: Vec<_> = filters.into_iter().map(|(filter, vms)| Stage::build(filter, vms)).collect::<Result<_>>()?;
    let rates = rates(&stages)?;
    for stage in &stages {
        stage.check()?;
    }
    let mut notes = vec![format!(
        "Of no filter's, whose row has packets, and TCP's megabytes, for each second of processor time. Each VM has \
         {RULES} rules each way."
    )];
    if let Some(refusal) = refusal {
        notes.push(format!(
            "This kernel has no connection tracking for bridges (it answers nft: {refusal}), so nftables too tracks by \
             br_netfilter."
        ));
    }
    part(&stages, &rates, notes.join(" "))
}

fn part(stages: &[Stage], rates: &Rates, note: String) -> Result<Part> {
    let base = rates.first().context("somebody was measured")?;
    let mut table = Table::new(["filter", "VMs"].into_iter().chain(LOADS.map(Load::name)));
    let mut bars = Bars::new(
        "What a port carries, of what it does without a filter",
        Scale::Linear,
        LOADS.map(|load| load.name().to_owned()),
    );
    for (stage, rates) in stages.iter().zip(rates) {
        let ratios: Vec<_> = rates.iter().zip(base).map(|(rate, base)| rate / base).collect();
        let cells: Vec<_> = match stage.filter {
            Filter::None => rates.iter().zip(LOADS).map(|(rate, load)| absolute(*rate, load)).collect(),
            _ => ratios.iter().map(|ratio| format!("{ratio:.2}")).collect(),
        };
        let vms = if stage.vms == 0 { "-".to_owned() } else { stage.vms.to_string() };
        table.row([stage.filter.name().to_owned(), vms.clone()].into_iter().chain(cells));
        if stage.filter != Filter::None && stage.filter != Filter::Empty {
            let vms = if stage.vms == 1 { "1 VM".to_owned() } else { format!("{vms} VMs") };
            let values = ratios.into_iter().map(|ratio| (ratio, format!("{ratio:.2}")));
            bars.group(format!("{}, {vms}", stage.filter.name()), values);
        }
    }
    let guarded =
        || stages.iter().zip(rates).filter(|(stage, _)| stage.filter == Filter::Guard).map(|(_, rates)| rates);
    let known = || guarded().flat_map(|rates| rates.iter().zip(base).zip(LOADS));
    let known = known().filter(|(_, load)| matches!(load, Load::Known(_))).map(|((rate, base), _)| rate / base);
    let flat = match (guarded().next(), guarded().next_back()) {
        (Some(one), Some(many)) => one.iter().zip(many).all(|(one, many)| (many / one - 1.0).abs() <= FLAT),
        _ => false,
    };
    let aims = vec![
        Aim::new(
            format!("a port carries {LEAST} of what it would unfiltered"),
            known.fold(f64::MAX, f64::min) >= LEAST,
        ),
        Aim::new("1000 guarded VMs are as fast as one, within 10 %".to_owned(), flat),
    ];
    Ok(Part { name: "rate", title: "One port", note, tables: vec![table], aims, bars: Some(bars) })
}

fn absolute(rate: f64, load: Load) -> String {
    match load {
        Load::Bulk => format!("{:.0} MB", rate / 1e6),
        Load::Known(_) | Load::New(_) => format!("{rate:.0}"),
    }
}

/// The middle of each one's turns.
fn rates(stages: &[Stage]) -> Result<Rates> {
    let mut all: Vec<_> = stages.iter().map(|_| LOADS.map(|_| Vec::new())).collect();
    for load in LOADS {
        let mut paths = stages.iter().map(|stage| Path::new(stage, load)).collect::<Result<Vec<_>>>()?;
        let at = LOADS.iter().position(|one| *one == load).context("one of them")?;
        // The first round is for everybody to learn who is where.
        for round in 0..=ROUNDS {
            let mut order: Vec<_> = paths.iter_mut().zip(&mut all).collect();
            let first = round % order.len();
            order.rotate_left(first);
            for (path, rates) in order {
                let rate = path.turn()?;
                if round > 0 {
                    rates[at].push(rate);
                }
            }
        }
    }
    Ok(all.into_iter().map(|rates| rates.map(middle)).collect())
}

/// A load on a stage.
enum Path<'a> {
    Datagrams { from: &'a Guest, to: &'a Guest, datagrams: Datagrams, opener: Option<Direction> },
    Bulk(&'a Stage),
}

impl<'a> Path<'a> {
    fn new(stage: &'a Stage, load: Load) -> Result<Self> {
        let ends = |direction| match direction {
            FromVm => (&stage.guest, &stage.uplink),
            ToVm => (&stage.uplink, &stage.guest),
        };
        Ok(match load {
            Load::Known(direction) => {
                let (from, to) = ends(direction);
                Self::Datagrams { from, to, datagrams: Datagrams::one_flow(direction), opener: Some(direction) }
            }
            Load::New(direction) => {
                let (from, to) = ends(direction);
                Self::Datagrams { from, to, datagrams: Datagrams::new_flows(direction), opener: None }
            }
            Load::Bulk => {
                stage.speak();
                Self::Bulk(stage)
            }
        })
    }

    /// The rate of one turn.
    fn turn(&mut self) -> Result<f64> {
        match self {
            Self::Bulk(stage) => {
                // A new one each time: how large its windows become is a matter of chance.
                let mut connection = Connection::open(&stage.guest, &stage.uplink, STRANGER)?;
                connection.carry(TURN / 2)?;
                connection.carry(TURN)
            }
            Self::Datagrams { from, to, datagrams, opener } => {
                if let Some(direction) = opener {
                    let mut answer = Datagrams::answer(*direction);
                    from.wire().send(&Frame::new(datagrams.next_frame()));
                    to.wire().send(&Frame::new(answer.next_frame()));
                }
                let before = received(to)?;
                let took = send(from, datagrams, TURN)?;
                let rate = (received(to)? - before) / took.as_secs_f64();
                ensure!(rate > 0.0, "nothing arrives");
                Ok(rate)
            }
        }
    }
}

/// How many packets have arrived at a guest so far.
fn received(guest: &Guest) -> Result<f64> {
    let text = guest.netns.inside(|| std::fs::read_to_string("/proc/thread-self/net/dev"))?;
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("eth0:")).context("no eth0")?;
    Ok(line.split_whitespace().nth(1).context("no count of packets")?.parse()?)
}
