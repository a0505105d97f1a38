//! Calls of CloudStack's agent that came together: taken in one after the other, enforced at once, each answered on its own.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::time::SystemTime;

use tokio::sync::oneshot;

use super::enforcer::Request;
use super::status::Status;
use super::steward::{Gone, Steward, Whole};
use crate::cloudstack::agent::{Change, Command, Nic};
use crate::sources::Place;

/// What a call comes to: what it prints, or why it is not done.
type Outcome = Result<String, String>;

/// A call, and who waits for its end.
struct Call {
    command: Command,
    /// The NIC that it says is there.
    arrived: Option<Nic>,
    reply: oneshot::Sender<Outcome>,
}

/// A call that was taken in.
struct Taken {
    call: Call,
    change: Change,
}

/// Those that came together.
#[derive(Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    /// NICs of calls that cannot be understood.
    refused: Vec<Nic>,
}

impl Calls {
    /// One more. One that cannot be understood is answered at once.
    pub(super) fn add(&mut self, arguments: &[String], reply: oneshot::Sender<Outcome>) {
        let arrived = Command::arrived_at_least(arguments);
        match Command::parse(arguments) {
            Ok(command) => self.calls.push(Call { command, arrived, reply }),
            Err(error) => {
                self.refused.extend(arrived);
                answer(reply, Err(error.to_string()));
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.refused.is_empty()
    }

    /// Does them all.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub(super) fn serve(self, steward: &mut Steward, enforcer: &Sender<Request>) -> Result<(), Gone> {
        if !self.calls.is_empty() {
            serve(self.calls, steward, enforcer)?;
        }
        guard(&self.refused, steward, enforcer)
    }
}

/// Guards NICs whose calls are refused: their VMs run all the same.
fn guard(refused: &[Nic], steward: &mut Steward, enforcer: &Sender<Request>) -> Result<(), Gone> {
    if refused.is_empty() {
        return Ok(());
    }
    for nic in refused {
        steward.agent.refuse(nic);
    }
    steward.follow(enforcer)
}

/// Those that were understood.
fn serve(calls: Vec<Call>, steward: &mut Steward, enforcer: &Sender<Request>) -> Result<(), Gone> {
    let (mut taken, mut new) = (Vec::new(), BTreeSet::new());
    for call in calls {
        match steward.agent.take(&call.command, &steward.taps, SystemTime::now()) {
            Ok(change) => {
                new.extend(change.vms().map(str::to_owned));
                taken.push(Taken { call, change });
            }
            Err(refusal) => answer(call.reply, Err(refusal.to_string())),
        }
    }
    steward.look_at_agent();
    let whole = match steward.whole_with(&new) {
        Ok(whole) => whole,
        Err(error) => return refuse(taken, &format!("{error:#}"), steward, enforcer),
    };
    for Taken { change, .. } in &taken {
        // It is enforced all the same: a VM that starts while the disk is full would be open else.
        steward.agent.keep(change);
    }
    // Somebody may have damaged what is enforced; who says again what is known already wants to be sure.
    let doubt = taken.iter().any(|taken| taken.change.is_empty() && wants_to_be_sure(&taken.call.command));
    let status = steward.enforce(&whole, doubt, enforcer)?;
    for Taken { call, change } in taken {
        let hindrance = hindrance(&call.command, steward, &whole, &status);
        let outcome = match hindrance.or_else(|| unkept(&call.command, &change, steward)) {
            Some(reason) => Err(reason),
            None => Ok(output(&call.command, steward)),
        };
        answer(call.reply, outcome);
    }
    Ok(())
}

/// Takes back what cannot be, all together, and does each alone where there are several: one of them is wrong.
fn refuse(taken: Vec<Taken>, reason: &str, steward: &mut Steward, enforcer: &Sender<Request>) -> Result<(), Gone> {
    let is_several = taken.len() > 1;
    let mut calls = Vec::new();
    for Taken { call, change, .. } in taken.into_iter().rev() {
        steward.agent.undo(change);
        calls.push(call);
    }
    for call in calls.into_iter().rev() {
        if is_several {
            serve(vec![call], steward, enforcer)?;
        } else {
            if let Some(nic) = &call.arrived {
                steward.agent.refuse(nic);
            }
            answer(call.reply, Err(reason.to_owned()));
        }
    }
    // What else was heard with it, or was seen on its occasion, waits for nobody's next call. Of several each has done so.
    if is_several { Ok(()) } else { steward.follow(enforcer) }
}

/// Why a call is not done, though it was understood.
fn hindrance(command: &Command, steward: &Steward, whole: &Whole, status: &Status) -> Option<String> {
    if let Command::SystemVm { .. } = command {
        return steward.blind_to_systems().map(str::to_owned);
    }
    steward.agent.places(command, &steward.taps).into_iter().find_map(|Place { vm, mac, interface }| {
        let Some(interface) = interface else {
            return Some(format!("VM {vm}, {mac}: the interface that is named is the tap of another NIC"));
        };
        if !steward.taps.has(&interface) {
            return Some(format!("VM {vm}, {mac}: {interface} is not on this host; it is guarded when it comes"));
        }
        match whole.model.ports().get(&interface) {
            Some(port) if port.vm == vm && port.mac == mac => {}
            _ => return Some(format!("VM {vm}, {mac}: {interface} or its MAC is another VM's")),
        }
        status.hindrance(&interface).map(|reason| format!("VM {vm}, {mac}: {reason}"))
    })
}

/// What a call that is done prints.
fn output(command: &Command, steward: &Steward) -> String {
    match command {
        Command::GetRuleLogs => format!("{}\n", steward.agent.rule_logs(&steward.taps)),
        _ => String::new(),
    }
}

/// Whether a call says how a NIC is to be guarded.
const fn wants_to_be_sure(command: &Command) -> bool {
    matches!(
        command,
        Command::DefaultNetworkRules { .. } | Command::AddNetworkRules { .. } | Command::VerifyNetworkRules { .. }
    )
}

/// Why a call is enforced and will not outlive the daemon, if it will not. Who says again what is known already is told too.
fn unkept(command: &Command, change: &Change, steward: &Steward) -> Option<String> {
    let mut vms = command.vm().into_iter().chain(change.vms());
    vms.find_map(|vm| {
        let reason = steward.agent.unkept(vm)?;
        Some(format!("{vm} is enforced, and not kept beyond the daemon's end: {reason}"))
    })
}

/// Who asked may have given up.
fn answer(reply: oneshot::Sender<Outcome>, outcome: Outcome) {
    if let Err(reason) = &outcome {
        tracing::warn!("CloudStack's agent is refused: {reason}");
    }
    let _ = reply.send(outcome);
}
