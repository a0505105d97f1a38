//! The rules of one port, as written and as enforced, and whether they are the same.

use std::io::{self, Write};

use serde::Serialize;

use super::enforced::EnforcedRow;
use crate::cli::output;
use crate::cli::rule_rows::{Side, WrittenRow};
use crate::cli::wanted_state::WantedState;
use crate::compile::{Access, PortRules};
use crate::kernel::EnforcedRules;
use crate::state::{Model, Port};

/// A guarded port.
#[derive(Debug, Serialize)]
pub(super) struct PortRow {
    pub(super) interface: String,
    ifindex: u32,
    /// The VM, where the state tells.
    vm: Option<String>,
    /// Where the state tells; absent too when the port is to be guarded against spoofing only.
    security_groups: Option<Vec<String>>,
    /// The rules of these groups; absent when they are.
    written: Option<Sides<Vec<WrittenRow>>>,
    /// What the kernel holds; absent when it applies no rules.
    enforced: Option<Sides<EnforcedRow>>,
    /// The directions in which what is enforced is not what the state says; absent when there is nothing to
    /// compare with.
    differs: Option<Vec<&'static str>>,
    /// What is amiss.
    pub(super) notes: Vec<String>,
}

/// Something of both directions.
#[derive(Debug, Serialize)]
pub(super) struct Sides<T> {
    ingress: T,
    egress: T,
}

impl<T> Sides<T> {
    fn new(of: impl Fn(Side) -> T) -> Self {
        Self { ingress: of(Side::Ingress), egress: of(Side::Egress) }
    }

    const fn of(&self, side: Side) -> &T {
        match side {
            Side::Ingress => &self.ingress,
            Side::Egress => &self.egress,
        }
    }
}

impl PortRow {
    pub(super) fn new(interface: String, ifindex: u32, rules: Option<&EnforcedRules>, state: &WantedState) -> Self {
        let wanted = state.port(&interface);
        let port = wanted.map(|wanted| wanted.port);
        let written = wanted.and_then(|wanted| Some(written(wanted.model, wanted.port.security_groups.as_ref()?)));
        let differs: Option<Vec<_>> = wanted.map(|wanted| {
            let [now, wanted] = [rules.map(|rules| &rules.rules), wanted.compiled.rules.as_ref()];
            let differs = |side: &Side| access(now, *side) != access(wanted, *side);
            Side::ALL.into_iter().filter(differs).map(Side::name).collect()
        });
        let mut notes = Vec::new();
        match &differs {
            Some(sides) if !sides.is_empty() => notes.push(format!(
                "what is enforced for {} is not what the state says: the daemon is not running, has not followed \
                 yet, or could not; `ipv6-sg status` tells",
                sides.join(" and ")
            )),
            None if state.unread().is_none() => notes.push("no port of the state has this interface".to_owned()),
            _ => {}
        }
        let enforced = rules.map(|rules| {
            Sides::new(|side| match side {
                Side::Ingress => EnforcedRow::new(&rules.rules.ingress, rules.ingress),
                Side::Egress => EnforcedRow::new(&rules.rules.egress, rules.egress),
            })
        });
        Self {
            interface,
            ifindex,
            vm: port.map(|port: &Port| port.vm.clone()),
            security_groups: port.and_then(|port| port.security_groups.clone()),
            written,
            enforced,
            differs,
            notes,
        }
    }

    pub(super) fn print(&self, out: &mut dyn Write, all: bool) -> io::Result<()> {
        write!(out, "{}:", self.interface)?;
        if let Some(vm) = &self.vm {
            write!(out, " VM {vm},")?;
        }
        match &self.security_groups {
            Some(groups) if groups.is_empty() => writeln!(out, " in no security group")?,
            Some(groups) => writeln!(out, " security groups {}", groups.join(", "))?,
            None if self.enforced.is_some() => writeln!(out, " security groups not known")?,
            None => writeln!(out, " no rules apply")?,
        }
        for side in Side::ALL {
            let name = side.name();
            if let Some(written) = self.written.as_ref().map(|written| written.of(side)) {
                let none = if written.is_empty() { ": no rule" } else { "" };
                writeln!(out, "  {name} as written{none}")?;
                let rows = written.iter().map(|row| [format!("    {}", row.place()), row.text().to_owned()]);
                output::table(out, None, rows)?;
            }
            match self.enforced.as_ref().map(|enforced| enforced.of(side)) {
                Some(enforced) => {
                    writeln!(out, "  {name} as enforced: {}", enforced.summary())?;
                    enforced.print_table(out, all)?;
                }
                None if self.written.is_some() => writeln!(out, "  {name} as enforced: no rules apply")?,
                None => {}
            }
        }
        Ok(())
    }
}

fn access(rules: Option<&PortRules>, side: Side) -> Option<&Access> {
    rules.map(|rules| match side {
        Side::Ingress => &rules.ingress,
        Side::Egress => &rules.egress,
    })
}

/// The rules of these groups, in the order of the groups.
fn written(model: &Model, groups: &[String]) -> Sides<Vec<WrittenRow>> {
    let groups: Vec<_> = groups.iter().filter_map(|name| model.groups().get(name)).collect();
    Sides::new(|side| {
        let rules = groups.iter().flat_map(|group| {
            let rules = match side {
                Side::Ingress => &group.ingress,
                Side::Egress => &group.egress,
            };
            rules.iter().enumerate().map(|(index, rule)| WrittenRow::new(&group.name, side, index, rule))
        });
        rules.collect()
    })
}
