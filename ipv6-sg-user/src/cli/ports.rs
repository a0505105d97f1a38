//! `ipv6-sg ports`: which interfaces are guarded, and with which addresses.

use std::io::Write as _;

use anyhow::{Result, bail};
use ipv6_sg_common::abi::{Count, Direction, PortFlags};
use ipv6_sg_common::verdict::{PerReason, Reason};
use serde::Serialize;

use super::context::Context;
use super::interfaces::{self, name_of};
use super::output::{self, Format};
use crate::compile::source_text;
use crate::kernel::{Inspect, Pins, PortEntry};
use crate::state::Settings;

/// Show the guarded interfaces, whether rules apply, and the addresses their VMs may use
#[derive(Debug, clap::Args)]
pub(super) struct Ports {
    /// Only this interface
    #[arg(value_name = "IF")]
    interface: Option<String>,
    #[command(flatten)]
    format: Format,
}

/// A guarded interface.
#[derive(Debug, Serialize)]
struct Row {
    interface: String,
    ifindex: u32,
    /// The VM, where the state tells.
    vm: Option<String>,
    mac: String,
    flags: Vec<&'static str>,
    sources: Vec<String>,
    routers: Vec<String>,
    /// Which of the two programs the kernel runs; `null` where it cannot be asked.
    attached: Option<Vec<&'static str>>,
    dropped_from_vm: u64,
    dropped_to_vm: u64,
    /// What the counters say about the guest.
    notes: Vec<String>,
}

impl Ports {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        let mut rows = rows(&Inspect::open(Pins::new(&settings.pin_dir))?, &settings)?;
        if let Some(interface) = &self.interface {
            rows.retain(|row| row.interface == *interface);
            if rows.is_empty() {
                bail!("interface {interface} is not guarded; `ipv6-sg ports` lists those that are");
            }
        }
        if self.format.json {
            return output::json(&mut context.out, &rows);
        }
        let headings = ["INTERFACE", "VM", "MAC", "STATE", "RULES", "DROPS FROM/TO VM", "SOURCE SET"];
        output::table(&mut context.out, Some(headings), rows.iter().map(Row::cells))?;
        for row in &rows {
            for note in &row.notes {
                writeln!(context.out, "{}: {note}", row.interface)?;
            }
        }
        Ok(())
    }
}

fn rows(inspect: &Inspect, settings: &Settings) -> Result<Vec<Row>> {
    let names = interfaces::names();
    let vms = interfaces::vms(settings);
    let counters = inspect.counters()?;
    let mut rows = Vec::new();
    for (ifindex, entry) in inspect.ports()? {
        let interface = name_of(&names, ifindex);
        let counts = counters.get(&ifindex).copied().unwrap_or_default();
        let dropped = |direction| interfaces::dropped(counts.direction(direction));
        let quarantined = entry.port.flags.has(PortFlags::QUARANTINED);
        rows.push(Row {
            ifindex,
            vm: vms.get(&interface).cloned(),
            mac: if quarantined { "-".to_owned() } else { entry.port.mac.to_string() },
            flags: PortFlags::ALL
                .iter()
                .filter(|(flag, _)| entry.port.flags.has(*flag))
                .map(|(_, name)| *name)
                .collect(),
            sources: if quarantined { Vec::new() } else { sources(&entry) },
            routers: entry.routers.iter().map(ToString::to_string).collect(),
            attached: Inspect::attached(&interface).map(|hooks| hooks.iter().map(|hook| hook.name()).collect()),
            dropped_from_vm: dropped(Direction::FromVm),
            dropped_to_vm: dropped(Direction::ToVm),
            notes: notes(&counts.from_vm),
            interface,
        });
    }
    Ok(rows)
}

impl Row {
    fn cells(&self) -> [String; 7] {
        [
            self.interface.clone(),
            self.vm.clone().unwrap_or_else(|| "-".to_owned()),
            self.mac.clone(),
            self.state(),
            if self.flags.contains(&"has_rules") { "yes" } else { "no" }.to_owned(),
            format!("{}/{}", self.dropped_from_vm, self.dropped_to_vm),
            self.sources.join("\n"),
        ]
    }

    fn state(&self) -> String {
        let guarded = if self.flags.contains(&"quarantined") { "quarantined" } else { "guarded" };
        match &self.attached {
            Some(hooks) if hooks.len() < 2 => "NOT ATTACHED".to_owned(),
            _ => guarded.to_owned(),
        }
    }
}

fn sources(entry: &PortEntry) -> Vec<String> {
    let port = &entry.port;
    let mut texts = vec![port.link_local.to_string()];
    texts.extend(port.slaac.iter().filter(|address| **address != port.link_local).map(ToString::to_string));
    texts.extend(entry.sources.iter().map(|source| source_text(*source)));
    texts
}

/// A guest first asks whether an address is free (`dad_foreign`), then sends from it (`source_privacy`).
fn notes(from_vm: &PerReason<Count>) -> Vec<String> {
    let [privacy, asked] = [Reason::SourcePrivacy, Reason::DadForeign].map(|reason| from_vm.of(reason).packets);
    let packets = match privacy.saturating_add(asked) {
        0 => return Vec::new(),
        1 => "1 packet".to_owned(),
        more => format!("{more} packets"),
    };
    vec![format!(
        "{packets} came from the port's own /64 but not from its address, or asked for an address that is not the \
         port's: the guest uses privacy or random identifiers, or forges a neighbour's address; see docs/guests.md"
    )]
}

#[cfg(test)]
mod tests {
    use ipv6_sg_common::abi::Counters;

    use super::*;

    fn counted(reasons: &[Reason]) -> Vec<String> {
        let mut counters = Counters::default();
        for reason in reasons {
            counters.from_vm.of_mut(*reason).packets += 1;
        }
        notes(&counters.from_vm)
    }

    #[test]
    fn what_a_guest_with_addresses_of_its_own_making_does_is_noted() {
        assert_eq!(counted(&[Reason::Traffic, Reason::SourceSpoofed]), [""; 0]);
        for (reasons, beginning) in [
            (&[Reason::DadForeign][..], "1 packet came "),
            (&[Reason::SourcePrivacy], "1 packet came "),
            (&[Reason::DadForeign, Reason::SourcePrivacy, Reason::SourcePrivacy], "3 packets came "),
        ] {
            let notes = counted(reasons);
            assert!(notes.len() == 1 && notes[0].starts_with(beginning), "{reasons:?}: {notes:?}");
            assert!(notes[0].contains("or forges a neighbour's address"), "{notes:?}");
        }
    }
}
