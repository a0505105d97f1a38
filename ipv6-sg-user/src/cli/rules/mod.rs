//! `ipv6-sg rules`: the security-group rules of each port, as written and as the kernel has them.

mod enforced;
mod port;

use std::io::Write as _;

use anyhow::{Result, bail};

use self::port::PortRow;
use super::context::Context;
use super::interfaces::{self, name_of};
use super::output::{self, Format};
use super::wanted_state::WantedState;
use crate::kernel::{Inspect, Pins};

/// Show the security-group rules of each port, as written and as enforced
///
/// As written: by group, direction and place, from 0. As enforced: what each prefix of peers may; an address in several
/// is allowed what the longest of them says. Says so when the two are not the same.
#[derive(Debug, clap::Args)]
pub(super) struct Rules {
    /// Only this interface's
    #[arg(value_name = "IF")]
    interface: Option<String>,
    /// Every peer, however many; JSON always has all
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: Format,
}

impl Rules {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        let inspect = Inspect::open(Pins::new(&settings.pin_dir))?;
        let rules = inspect.rules()?;
        let state = WantedState::read(&settings);
        let names = interfaces::names();
        let ports = inspect.ports()?.into_keys().map(|ifindex| (name_of(&names, ifindex), ifindex));
        let wanted = |name: &str| self.interface.as_deref().is_none_or(|only| only == name);
        let mut rows: Vec<_> = ports
            .filter(|(name, _)| wanted(name))
            .map(|(name, ifindex)| PortRow::new(name, ifindex, rules.get(&ifindex), &state))
            .collect();
        if let (Some(interface), true) = (&self.interface, rows.is_empty()) {
            bail!("interface {interface} is not guarded; `ipv6-sg ports` lists those that are");
        }
        let unread = |error| format!("here is what is enforced alone, for the state cannot be read: {error}");
        let unread = state.unread().map(unread);
        if self.format.json {
            rows.iter_mut().for_each(|row| row.notes.extend(unread.clone()));
            return output::json(&mut context.out, &rows);
        }
        rows.iter().try_for_each(|row| row.print(&mut context.out, self.all))?;
        for row in &rows {
            for note in &row.notes {
                writeln!(context.out, "{}: {note}", row.interface)?;
            }
        }
        unread.map_or(Ok(()), |note| Ok(writeln!(context.out, "{note}")?))
    }
}
