//! Which programs the kernel runs at a tc hook of an interface, and in which order. Looks only: changes nothing.

use aya::programs::SchedClassifier;
use aya::programs::links::{FdLink, PinnedLink};

use super::Pins;
use super::hook::Hook;

/// A program of somebody else that a packet meets before the guard. What it accepts the guard never sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ahead {
    /// At which hook.
    pub hook: Hook,
    /// The program's name; empty when it has none.
    pub program: String,
    /// The kernel's number for it.
    pub id: u32,
}

/// The programs at a hook, first to last: id and name.
pub(super) struct Order(Vec<(u32, String)>);

impl Order {
    /// `None` where the kernel cannot be asked, which is before 6.6.
    pub(super) fn at(interface: &str, hook: Hook) -> Option<Self> {
        let (_, programs) = SchedClassifier::query_tcx(interface, hook.tc_side()).ok()?;
        let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Some(Self(programs.iter().map(|info| (info.id(), name(info.name_as_str()))).collect()))
    }

    /// Whether this program is among them.
    pub(super) fn runs(&self, program: u32) -> bool {
        self.0.iter().any(|(id, _)| *id == program)
    }

    /// Those that come before this program; none when it is not there itself.
    pub(super) fn ahead_of(&self, program: u32, hook: Hook) -> Vec<Ahead> {
        let place = self.0.iter().position(|(id, _)| *id == program).unwrap_or_default();
        self.0.iter().take(place).map(|(id, program)| Ahead { hook, program: program.clone(), id: *id }).collect()
    }
}

/// The tc hooks of an interface at which a program of ours runs, whichever version; `None` where that cannot be asked.
pub(super) fn running(interface: &str) -> Option<Vec<Hook>> {
    let mut hooks = Vec::new();
    for hook in Hook::TC {
        if Order::at(interface, hook)?.0.iter().any(|(_, name)| name == hook.program()) {
            hooks.push(hook);
        }
    }
    Some(hooks)
}

/// Whether the kernel runs this program at a tc hook of the interface.
pub(super) fn runs(interface: &str, hook: Hook, program: u32) -> bool {
    Order::at(interface, hook).is_some_and(|order| order.runs(program))
}

/// Who comes before the programs that are pinned for an interface.
pub(super) fn ahead(pins: &Pins, ifindex: u32, interface: &str) -> Vec<Ahead> {
    let ahead = |hook| {
        let link = FdLink::from(PinnedLink::from_pin(pins.link(ifindex, hook)).ok()?);
        Some(Order::at(interface, hook)?.ahead_of(link.info().ok()?.program_id(), hook))
    };
    Hook::TC.into_iter().filter_map(ahead).flatten().collect()
}
