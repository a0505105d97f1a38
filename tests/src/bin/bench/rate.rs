//! Packets a second through a port: a guest that is guarded and one that is not take turns on one bridge, with one guarded
//! port on the host and with a thousand.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipv6_sg_common::abi::Direction;
use ipv6_sg_common::mac::Mac;
use ipv6_sg_tests::frame::{Ipv6, udp};
use ipv6_sg_tests::lab::{Guest, Hypervisor, Ip, eventually, port};
use ipv6_sg_tests::world::{NEIGHBOUR, NEIGHBOUR_MAC, ROUTER_MAC, STRANGER, VM, VM_MAC};

use crate::sender::send;
use crate::table::Table;

/// How often each guest has its turn: many short ones, so that what the machine does besides hits both alike.
const ROUNDS: usize = 150;
const TURN: Duration = Duration::from_millis(20);
/// The least of the unguarded rate that has to be left.
const AIM: f64 = 0.95;
/// How many ports the host guards at first, and then.
const PORTS: [u32; 2] = [1, 1000];

/// The stage: the guarded guest, its unguarded twin, and the uplink.
struct Stage {
    hypervisor: Hypervisor,
    guarded: Guest,
    twin: Guest,
    uplink: Guest,
}

/// Measures, and tells whether the aims are kept.
pub fn measure() -> Result<(Table, bool)> {
    let hypervisor = Hypervisor::new();
    let guest = |port, mac| hypervisor.guest(port, mac, Ip::Silent);
    let (guarded, twin, uplink) = (guest("vnet1", VM_MAC), guest("vnet2", NEIGHBOUR_MAC), guest("uplink", ROUTER_MAC));
    let stage = Stage { guarded, twin, uplink, hypervisor };
    stage.hypervisor.ports(&[&stage.guarded]);
    let _daemon = stage.hypervisor.daemon();
    let mut table = Table::new(["DIRECTION", "GUARDED PORTS", "OF UNGUARDED", "GUARDED, PACKETS/S", "UNGUARDED"]);
    let mut kept = true;
    for ports in PORTS {
        stage.populate(ports);
        for direction in Direction::ALL {
            let (with, without) = stage.compare(direction)?;
            let ratio = with / without;
            kept &= ratio >= AIM;
            let name = direction.name().replace('_', " ");
            table.row([name, ports.to_string(), format!("{ratio:.3}"), format!("{with:.0}"), format!("{without:.0}")]);
        }
    }
    Ok((table, kept))
}

impl Stage {
    /// As many guarded ports as that, most of them idle.
    fn populate(&self, ports: u32) {
        let (mut links, mut state) = (String::new(), String::new());
        for number in 1..ports {
            let [.., high, low] = number.to_be_bytes();
            let interface = format!("idle{number}");
            let _ = writeln!(links, "link add {interface} type veth peer name far{number}");
            state += &port(&interface, Mac { octets: [0x06, 0, 0, 1, high, low] }, "");
        }
        self.hypervisor.netns.ip(&links);
        self.hypervisor.site.state("20-idle.toml", &state);
        eventually("all ports guarded", || {
            let status = self.hypervisor.json("status");
            let guarded = status.pointer("/daemon/guarded")?.as_array()?.len();
            (guarded == usize::try_from(ports).ok()?).then_some(())
        });
    }

    /// Packets a second of processor time with the guard and without, in the middle of all turns.
    fn compare(&self, direction: Direction) -> Result<(f64, f64)> {
        let datagram = |guest: &Guest, address| match direction {
            Direction::FromVm => Ipv6::new(address, STRANGER, udp(4000, 9, b"..")).ethernet(direction).from(guest.mac),
            Direction::ToVm => Ipv6::new(STRANGER, address, udp(9, 4000, b"..")).ethernet(direction).to(guest.mac),
        };
        let turns = [(&self.guarded, VM), (&self.twin, NEIGHBOUR)].map(|(guest, address)| {
            let (from, to) = match direction {
                Direction::FromVm => (guest, &self.uplink),
                Direction::ToVm => (&self.uplink, guest),
            };
            (from, to, datagram(guest, address).build())
        });
        let mut rates = [Vec::new(), Vec::new()];
        // The first round is for the bridge to learn who is where.
        for round in 0..=ROUNDS {
            let mut order: Vec<_> = turns.iter().zip(&mut rates).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for ((from, to, frame), rates) in order {
                ensure!(frame.bytes.len() == 64, "{} bytes", frame.bytes.len());
                let before = received(to)?;
                let took = send(from, &frame.bytes, TURN)?;
                let rate = (received(to)? - before) / took.as_secs_f64();
                if round > 0 {
                    ensure!(rate > 0.0, "nothing arrives");
                    rates.push(rate);
                }
            }
        }
        let [with, without] = rates.map(middle);
        Ok((with, without))
    }
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}

/// How many packets have arrived at a guest so far.
fn received(guest: &Guest) -> Result<f64> {
    let text = guest.netns.run("ip -json -stats link show dev eth0");
    let links: serde_json::Value = serde_json::from_str(&text)?;
    links.pointer("/0/stats64/rx/packets").and_then(serde_json::Value::as_f64).context("no count of packets")
}
