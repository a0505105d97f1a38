//! The thread that owns what is enforced: takes one request after the other and makes the kernel follow.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

mod round;

use super::inbox::{Inbox, Turn};
use super::links;
use super::plan::Desired;
use super::status::Status;
use crate::kernel::{Attachment, Guard, RuleUse, XdpMode};

/// How often everything is looked at without an occasion: somebody may have flushed qdiscs or removed pins.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What is wanted, and by whom.
pub struct Order {
    /// What is wanted.
    pub desired: Box<Desired>,
    /// Whether with the shield.
    pub xdp: XdpMode,
    /// Whether nothing is to be believed of what is enforced.
    pub doubt: bool,
    /// The interfaces that are here, where somebody has just looked.
    pub present: Option<Vec<Attachment>>,
    /// Who waits until it is done, and wants to know what came of it.
    pub done: Option<std::sync::mpsc::Sender<Status>>,
}

/// What the thread is asked to do.
pub enum Request {
    /// Interfaces may have changed.
    Links,
    /// From now on this is wanted.
    Desired(Order),
    /// Take enforcement off one interface, or off all.
    Detach(Option<String>, oneshot::Sender<Result<Vec<String>, String>>),
    /// Who is guarded, who is missing?
    Status(oneshot::Sender<Status>),
    /// Believe nothing of what is enforced, and guard again what was detached.
    Resume,
    /// The state could not be read, for this reason: the last good one stays.
    Unread(String),
    /// End the thread; what is enforced stays.
    Stop,
}

/// The owner of the guard.
pub struct Enforcer {
    guard: Guard,
    desired: Desired,
    xdp: XdpMode,
    suspended: BTreeSet<u32>,
    /// Interfaces without the shield that the settings ask for; the log has said so.
    unshielded: BTreeSet<u32>,
    /// Why the state is not the one in the files.
    unread: Option<String>,
    /// Interfaces that are gone and still in the maps.
    leaving: VecDeque<u32>,
    /// Whether the guard has things to do that nobody waits for.
    untidy: bool,
    /// Whether the last round was broken off, for somebody waited for something else.
    unfinished: bool,
    /// Whether what other versions of this program left has been removed.
    settled: bool,
    status: Status,
    /// How much of the maps of rules is in use, for whoever asks while this thread is busy.
    rule_use: watch::Sender<RuleUse>,
}

impl Enforcer {
    /// Makes the kernel follow `desired` for the first time.
    pub fn start(guard: Guard, desired: Desired, xdp: XdpMode) -> Self {
        let mut enforcer = Self {
            rule_use: watch::Sender::new(guard.rule_use()),
            guard,
            desired,
            xdp,
            suspended: BTreeSet::new(),
            unshielded: BTreeSet::new(),
            unread: None,
            leaving: VecDeque::new(),
            untidy: true,
            unfinished: false,
            settled: false,
            status: Status::default(),
        };
        enforcer.reconcile(None, &mut || false);
        enforcer.rule_use.send_replace(enforcer.guard.rule_use());
        enforcer
    }

    /// What the first round did.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// How much of the maps of rules is in use, now and later.
    pub fn rule_use(&self) -> watch::Receiver<RuleUse> {
        self.rule_use.subscribe()
    }

    /// Serves requests until told to stop.
    pub fn run(mut self, requests: &Receiver<Request>) {
        let mut inbox = Inbox::new(requests);
        let mut looked = Instant::now();
        loop {
            let behind = self.unfinished || self.untidy || !self.leaving.is_empty();
            match inbox.next(behind, LOOK_AGAIN.saturating_sub(looked.elapsed())) {
                Turn::Serve(request) => {
                    if self.serve(request, &mut inbox).is_break() {
                        return;
                    }
                }
                Turn::CatchUp if self.unfinished => self.reconcile(None, &mut || inbox.is_waited_for()),
                Turn::CatchUp => self.catch_up(),
                Turn::Nothing => {}
                Turn::End => return,
            }
            if looked.elapsed() >= LOOK_AGAIN {
                self.look_again();
                looked = Instant::now();
            }
            self.rule_use.send_replace(self.guard.rule_use());
        }
    }

    /// Breaks when it is told to end.
    fn serve(&mut self, request: Request, inbox: &mut Inbox<'_>) -> ControlFlow<()> {
        match request {
            Request::Links => {
                self.guard.doubt_links();
                self.reconcile(None, &mut || inbox.is_waited_for());
            }
            Request::Desired(Order { desired, xdp, doubt, present, done }) => {
                (self.desired, self.xdp) = (*desired, xdp);
                self.unread = None;
                match doubt {
                    true => self.look_again(),
                    false => self.reconcile(present, &mut || false),
                }
                if let Some(done) = done {
                    // Who asked may be gone; it is done all the same.
                    let _ = done.send(self.status.clone());
                }
            }
            Request::Resume => {
                self.suspended.clear();
                self.look_again();
            }
            Request::Unread(error) => self.unread = Some(error),
            // Who asked may be gone; it is done all the same.
            Request::Detach(which, reply) => drop(reply.send(self.detach(which.as_deref()))),
            Request::Status(reply) => {
                let mut status = self.status.clone();
                status.errors.extend(self.unread.clone());
                let _ = reply.send(status);
            }
            Request::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Somebody else may have changed what is enforced.
    fn look_again(&mut self) {
        if let Err(error) = self.guard.look_again() {
            tracing::error!("{error}");
        }
        self.reconcile(None, &mut || false);
    }

    /// Removes what other versions left, once everything of theirs is switched over or released.
    fn settle(&mut self) {
        if self.settled || !self.leaving.is_empty() || !self.status.errors.is_empty() {
            return;
        }
        self.settled = true;
        if let Err(error) = self.guard.remove_other_versions() {
            tracing::warn!("cannot remove what another version of this program left: {error}");
        }
    }

    /// Does one of the things that take the kernel long and that nobody waits for.
    fn catch_up(&mut self) {
        if let Some(ifindex) = self.leaving.pop_front() {
            // It came back since the last look; news of it is under way.
            if !links::present().is_ok_and(|present| present.iter().all(|link| link.ifindex != ifindex)) {
                return;
            }
            match self.guard.release(ifindex, None) {
                Ok(()) => {
                    self.untidy = true;
                    tracing::info!(ifindex, "released, its interface is gone");
                }
                Err(error) => tracing::error!("{error}"),
            }
            self.settle();
            return;
        }
        self.untidy = self.guard.tidy().unwrap_or_else(|error| {
            tracing::error!("{error}");
            false
        });
    }

    fn detach(&mut self, which: Option<&str>) -> Result<Vec<String>, String> {
        let present = links::present().map_err(|error| format!("cannot list interfaces: {error}"))?;
        let known = self.guard.known();
        let chosen = |link: &&crate::kernel::Attachment| {
            known.contains(&link.ifindex) && which.is_none_or(|name| name == link.interface)
        };
        let chosen: Vec<_> = present.iter().filter(chosen).collect();
        if let (Some(name), true) = (which, chosen.is_empty()) {
            return Err(format!("interface {name} is not guarded; `ipv6-sg ports` lists those that are"));
        }
        self.suspended.extend(chosen.iter().map(|link| link.ifindex));
        if which.is_none() {
            // Those too that could not be guarded so far: none is to be guarded again until somebody says so.
            let wanted = |name: &str| self.desired.ports.contains_key(name) || (self.desired.quarantine)(name);
            self.suspended.extend(present.iter().filter(|link| wanted(&link.interface)).map(|link| link.ifindex));
        }
        self.reconcile(None, &mut || false);
        // What else went wrong is in the log and in `status`.
        let known = self.guard.known();
        let left = chosen.iter().find(|link| known.contains(&link.ifindex));
        match left.map(|link| (&link.interface, self.status.errors.first())) {
            Some((_, Some(error))) => Err(error.clone()),
            Some((interface, None)) => {
                Err(format!("interface {interface} is still guarded; the daemon's log says why"))
            }
            None => Ok(chosen.into_iter().map(|link| link.interface.clone()).collect()),
        }
    }
}
