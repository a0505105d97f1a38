//! One round: from what is wanted, and what is here, to what is enforced.

use std::collections::HashSet;

use super::Enforcer;
use crate::daemon::links;
use crate::daemon::plan::{Plan, plan};
use crate::daemon::status::Status;
use crate::kernel::{Attachment, Hook};

impl Enforcer {
    /// Makes the kernel follow. What is wanted of ports that are guarded holds before any program is put on a new tap, which
    /// takes the kernel its time: that is broken off when somebody waits, and is to be gone on with. Which interfaces are
    /// `present` is looked up unless it is known.
    pub(super) fn reconcile(&mut self, present: Option<Vec<Attachment>>, is_waited_for: &mut dyn FnMut() -> bool) {
        self.unfinished = false;
        let present = match present.map_or_else(links::present, Ok) {
            Ok(present) => present,
            Err(error) => {
                self.status.errors = vec![format!("cannot list interfaces: {error}")];
                tracing::error!("cannot list interfaces: {error}");
                return;
            }
        };
        // Sets, for there are thousands of each.
        let here: HashSet<u32> = present.iter().map(|link| link.ifindex).collect();
        for known in [&mut self.suspended, &mut self.unshielded] {
            known.retain(|ifindex| here.contains(ifindex));
        }
        let mut plan = plan(&self.desired, &present, &self.guard.known(), &self.suspended);
        let mut status = Status::default();
        let written = self.write(&mut plan, &mut status);
        self.attach(&written, &mut status, is_waited_for);
        // An index can be used again: who is here is not leaving any more.
        self.leaving.retain(|ifindex| !here.contains(ifindex));
        self.release(plan.release, &mut status);
        if self.unfinished {
            keep(&mut status.guarded, &self.status.guarded, &written);
            keep(&mut status.quarantined, &self.status.quarantined, &written);
        }
        let present_names: HashSet<_> = present.iter().map(|link| &link.interface).collect();
        status.missing = self.desired.ports.keys().filter(|name| !present_names.contains(name)).cloned().collect();
        let suspended = present.iter().filter(|link| self.suspended.contains(&link.ifindex));
        status.detached = suspended.map(|link| link.interface.clone()).collect();
        tell(&status, &self.status);
        self.status = status;
        self.untidy = true;
        self.settle();
    }

    /// Has the maps say what is wanted of each port, and puts flows to the rules if these have changed. Returns the interfaces
    /// whose maps do.
    fn write(&mut self, plan: &mut Plan, status: &mut Status) -> Vec<Attachment> {
        self.guard.track(self.desired.flows);
        let mut ports: Vec<_> =
            plan.guard.iter_mut().map(|(link, port)| (link.ifindex, &mut port.entry, port.rules.as_ref())).collect();
        status.note_rules(self.guard.load_rules(&mut ports));
        let mut written = Vec::with_capacity(plan.guard.len());
        for (link, port) in &plan.guard {
            if status.note_of(&link.interface, self.guard.write(link.ifindex, &port.entry)) {
                written.push(link.clone());
            }
        }
        status.note_rules(self.guard.apply_rules());
        written
    }

    /// Has the programs run on these. What VMs send is guarded on all of them before what they receive.
    fn attach(&mut self, to: &[Attachment], status: &mut Status, is_waited_for: &mut dyn FnMut() -> bool) {
        let mut guarded = Vec::with_capacity(to.len());
        for link in to {
            let took_time = !self.guard.is_attached(link, Hook::FromVm);
            if status.note_of(&link.interface, self.guard.attach(link, Hook::FromVm)) {
                guarded.push(link);
            }
            if took_time && is_waited_for() {
                self.unfinished = true;
                return;
            }
        }
        for link in guarded {
            let took_time = !self.guard.is_attached(link, Hook::ToVm);
            if !status.note_of(&link.interface, self.guard.attach(link, Hook::ToVm)) {
                continue;
            }
            match self.desired.ports.contains_key(&link.interface) {
                true => status.guarded.push(link.interface.clone()),
                false => status.quarantined.push(link.interface.clone()),
            }
            match self.guard.shield(link, self.xdp) {
                Ok(()) => drop(self.unshielded.remove(&link.ifindex)),
                Err(error) if self.unshielded.insert(link.ifindex) => {
                    tracing::warn!("no XDP shield, tc guards alone: {error}");
                }
                Err(_) => {}
            }
            if took_time && is_waited_for() {
                self.unfinished = true;
                return;
            }
        }
    }

    fn release(&mut self, interfaces: Vec<(u32, Option<String>)>, status: &mut Status) {
        for (ifindex, name) in interfaces {
            match name {
                Some(name) => {
                    status.note(self.guard.release(ifindex, Some(&name)));
                }
                // Nothing crosses what is gone: there is time.
                None => {
                    self.guard.doubt(ifindex);
                    if !self.leaving.contains(&ifindex) {
                        self.leaving.push_back(ifindex);
                    }
                }
            }
        }
    }
}

/// What was so before and has not been looked at is so still.
fn keep(now: &mut Vec<String>, before: &[String], wanted: &[Attachment]) {
    let known: HashSet<&String> = now.iter().collect();
    let wanted: HashSet<&String> = wanted.iter().map(|link| &link.interface).collect();
    let kept: Vec<_> = before.iter().filter(|name| wanted.contains(name) && !known.contains(name)).cloned().collect();
    now.extend(kept);
}

/// Tells the log what is new.
fn tell(status: &Status, before: &Status) {
    for error in status.errors.iter().filter(|error| !before.errors.contains(error)) {
        tracing::error!("{error}");
    }
    for interface in news(&status.guarded, &before.guarded) {
        tracing::info!(interface, "guarded");
    }
    for interface in news(&status.quarantined, &before.quarantined) {
        tracing::info!(interface, "quarantined");
    }
}

/// Those that were not there before.
fn news<'a>(now: &'a [String], before: &[String]) -> impl Iterator<Item = &'a String> {
    let before: HashSet<&String> = before.iter().collect();
    now.iter().filter(move |name| !before.contains(name))
}
