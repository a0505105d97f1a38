//! The thread that knows what is wanted: takes in what the sources say, and tells the enforcer.
//!
//! What came together is done together. A source that says something wrong is told so, and what was wanted before stays.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, Sender};

use anyhow::{Context as _, Result};
use tokio::sync::watch;

use super::api_source::ApiSource;
use super::calls::Calls;
use super::desire::{desired, xdp};
use super::doubt::Doubt;
use super::enforcer::{Order, Request};
use super::found::Found;
use super::health::Health;
use super::kea_source::KeaSource;
use super::links::attachments;
use super::news::{About, News};
use super::reload::reloaded;
use super::status::Status;
use crate::cloudstack::Taps;
use crate::compile::{self, Image, Memory};
use crate::kernel::Attachment;
use crate::links::{self, Link};
use crate::sources::{self, Agent, LeftOut, Said, Together};
use crate::state::{Declarations, Model, Settings, directory};

/// What is wanted, and by whom.
pub(super) struct Steward {
    settings: Settings,
    files: Vec<Declarations>,
    pub(super) agent: Agent,
    api: ApiSource,
    kea: KeaSource,
    health: watch::Sender<Health>,
    /// The interfaces that were here when it was last looked.
    present: Option<Vec<Attachment>>,
    pub(super) taps: Taps,
    /// Whether it is known of all of them whose they are.
    doubt: Doubt,
    /// Where the agent's NICs were last found.
    found: Found,
    /// What was compiled last.
    memory: Memory,
    /// VMs of whom something that the agent has said is not heard, for it contradicts the files or what else it has said.
    left_out: BTreeSet<String>,
}

/// What is wanted now.
pub(super) struct Whole {
    pub(super) model: Model,
    pub(super) image: Image,
}

impl Steward {
    /// Reads all sources.
    ///
    /// # Errors
    /// The files are wrong, or what else was kept cannot be read. Nothing has changed.
    pub(super) fn open(settings: &Settings) -> Result<(Self, Order)> {
        let files = directory::declarations(&settings.state_dir)?;
        let (agent, aside) = Agent::open(settings)?;
        for record in &aside {
            tracing::error!("{record}");
        }
        let (api, kea) = (ApiSource::open(settings)?, KeaSource::open(settings)?);
        let health = watch::Sender::new(Health { cloudstack: api.answers(), kea: kea.answers() });
        let links = links::present().context("cannot list interfaces")?;
        let (settings, present, taps) = (settings.clone(), None, Taps::default());
        let (doubt, found, memory, left_out) = (Doubt::default(), Found::default(), Memory::default(), BTreeSet::new());
        let mut steward =
            Self { settings, files, agent, api, kea, health, present, taps, doubt, found, memory, left_out };
        steward.take_in(links);
        steward.look_at_agent();
        steward.found = Found::new(&steward.agent, &steward.taps);
        steward.found.note_twins(&Found::default());
        let whole = steward.whole()?;
        let order = steward.order(&whole, false);
        Ok((steward, order))
    }

    /// Whether those who are asked answer, now and later.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Begins to ask those who have to be asked; their answers are news.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn ask(&mut self, news: &Sender<News>) -> Result<()> {
        self.api.ask(news)?;
        self.kea.ask(news)
    }

    /// Hears until it is told to stop, or nobody is left to speak.
    pub(super) fn run(mut self, news: &Receiver<News>, enforcer: &Sender<Request>) {
        while let Some(first) = self.doubt.next(news) {
            let (mut calls, mut about) = (Calls::default(), About::default());
            for news in std::iter::once(first).chain(news.try_iter()) {
                match news {
                    News::Links => about.links = true,
                    News::Files => about.files = true,
                    News::Reload(settings) => {
                        if let Some(new) = settings {
                            self.settings = reloaded(&self.settings, *new);
                        }
                        (about.files, about.reload) = (true, true);
                    }
                    News::Api(event) => about.answers |= self.api.hear(event),
                    News::Kea(event) => about.answers |= self.kea.hear(event),
                    News::Agent(arguments, reply) => calls.add(&arguments, reply),
                    News::Stop => return,
                }
            }
            if self.hear(about, calls, enforcer).is_err() {
                // The enforcer has ended; its message is in the log.
                return;
            }
        }
    }

    fn hear(&mut self, about: About, calls: Calls, enforcer: &Sender<Request>) -> Result<(), Gone> {
        if about.reload {
            // What is not said again by the time somebody had a look is not worth waiting for.
            self.agent.forget_lost();
            send(enforcer, Request::Resume)?;
        } else if about.links {
            // What is wanted of an interface that comes is known already, but for the agent's.
            send(enforcer, Request::Links)?;
        }
        self.health.send_replace(Health { cloudstack: self.api.answers(), kea: self.kea.answers() });
        // What is answered may leave open whose a tap is.
        let moved = (about.links || about.answers || !calls.is_empty()) && self.look_at_links();
        let reread = if about.files { self.read_files(enforcer)? } else { None };
        if !calls.is_empty() {
            return calls.serve(self, enforcer);
        }
        let wanted_anew = moved || about.answers;
        match reread {
            Some(whole) => send(enforcer, Request::Desired(self.order(&whole, false))),
            None if wanted_anew => self.follow(enforcer),
            None => Ok(()),
        }
    }

    /// Has what is wanted now be enforced; nobody waits for it.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub(super) fn follow(&mut self, enforcer: &Sender<Request>) -> Result<(), Gone> {
        match self.whole() {
            Ok(whole) => send(enforcer, Request::Desired(self.order(&whole, false))),
            Err(error) => self.unread(enforcer, &error),
        }
    }

    /// What all sources want, but for what of CloudStack's words cannot be beside the rest.
    ///
    /// # Errors
    /// The files contradict each other, or more is wanted than a host can have.
    fn whole(&mut self) -> Result<Whole> {
        let together = self.together(&BTreeSet::new())?;
        for LeftOut { vm, error } in &together.left_out {
            if !self.left_out.contains(vm) {
                tracing::error!("CloudStack has said of VM {vm} what cannot be: {error}");
            }
        }
        self.compile(together)
    }

    /// The same with something `new` about these VMs, or about the files.
    ///
    /// # Errors
    /// As well where something that was sound would be left out for it.
    pub(super) fn whole_with(&mut self, new: &BTreeSet<String>) -> Result<Whole> {
        let mut together = self.together(new)?;
        match together.left_out.iter().position(|left_out| !self.left_out.contains(&left_out.vm)) {
            Some(index) => Err(together.left_out.swap_remove(index).error.into()),
            None => self.compile(together),
        }
    }

    /// Of two that contradict each other, who did so before does, and then who is new.
    fn together(&self, new: &BTreeSet<String>) -> Result<Together> {
        let doubted = self.left_out.union(new).cloned().collect();
        let (files, agent, api) = (&self.files[..], self.agent.registry(), self.api.inventory());
        let (kea, taps) = (self.kea.delegations(), &self.taps);
        Ok(Said { files, agent, api, kea, taps }.as_far_as_possible(&doubted)?)
    }

    fn compile(&mut self, Together { model, left_out, not_given }: Together) -> Result<Whole> {
        let image = compile::compile_again(&model, &self.settings, &mut self.memory)?;
        self.api.note_oddities(&self.taps);
        self.kea.note(&not_given);
        self.kea.follow(&model);
        self.left_out = left_out.into_iter().map(|left_out| left_out.vm).collect();
        Ok(Whole { model, image })
    }

    /// Has this enforced, and waits until it is. Of `asked_about`, interfaces, nothing is believed.
    ///
    /// # Errors
    /// The enforcer has ended.
    pub(super) fn enforce(
        &self,
        whole: &Whole,
        doubt: bool,
        asked_about: BTreeSet<String>,
        enforcer: &Sender<Request>,
    ) -> Result<Status, Gone> {
        let (done, status) = mpsc::channel();
        // It was looked a moment ago which interfaces there are.
        let present = self.present.clone();
        let order = Order { done: Some(done), present, asked_about, ..self.order(whole, doubt) };
        send(enforcer, Request::Desired(order))?;
        status.recv().map_err(|_| Gone)
    }

    fn order(&self, whole: &Whole, doubt: bool) -> Order {
        let mut desired = desired(&self.settings, &whole.image, self.agent.system_taps().clone());
        let is_blind = self.doubt.is_blind() && !self.agent.registry().vms().is_empty();
        desired.incomplete = !self.left_out.is_empty() || self.agent.has_lost() || self.api.is_incomplete() || is_blind;
        let (asked_about, xdp) = (BTreeSet::new(), xdp(&self.settings));
        Order { desired: Box::new(desired), xdp, doubt, asked_about, done: None, present: None }
    }

    /// Takes in which interfaces are here.
    fn take_in(&mut self, links: Vec<Link>) {
        let present = attachments(&links);
        let known = std::mem::replace(&mut self.taps, sources::taps(links));
        let is_new = self.present.as_ref() != Some(&present);
        let before: BTreeSet<_> = self.present.replace(present.clone()).into_iter().flatten().collect();
        // What libvirt said of a tap holds as long as that is the same one.
        let stay: BTreeSet<_> =
            present.into_iter().filter(|tap| before.contains(tap)).map(|tap| tap.interface).collect();
        self.taps.recall(known, |tap| stay.contains(tap));
        let libvirt_dir = &self.settings.cloudstack.libvirt_dir;
        let told = sources::tell_apart(&mut self.taps, self.agent.registry(), self.api.inventory(), libvirt_dir);
        self.doubt.take_in(told, is_new);
    }

    /// Finds where the agent's NICs are now; whether that is elsewhere than before.
    pub(super) fn look_at_links(&mut self) -> bool {
        match links::present() {
            Ok(links) => self.take_in(links),
            Err(error) => {
                tracing::error!("cannot list interfaces: {error}");
                // Whoever needs them has to look himself.
                self.present = None;
                return false;
            }
        }
        self.look_at_agent();
        let found = Found::new(&self.agent, &self.taps);
        let moved = found != self.found;
        found.note_twins(&self.found);
        self.found = found;
        moved | self.api.look(&self.taps)
    }

    /// Has the agent's side follow what is on this host.
    pub(super) fn look_at_agent(&mut self) {
        let change = self.agent.look(&self.taps);
        self.agent.keep(&change);
        for error in change.vms().filter_map(|vm| self.agent.unkept(vm)) {
            tracing::error!("{error}");
        }
        if let Some(error) = self.agent.unknown_systems() {
            tracing::warn!("the taps of system VMs are not known: {error}");
        }
    }

    /// Why a system VM's taps may be in quarantine, if they may.
    pub(super) fn blind_to_systems(&self) -> Option<&str> {
        self.agent.unknown_systems().filter(|_| !self.settings.quarantine.is_empty())
    }

    /// Reads the state files; what is wanted with them. Where that cannot be, they are as they were.
    fn read_files(&mut self, enforcer: &Sender<Request>) -> Result<Option<Whole>, Gone> {
        let read = directory::declarations(&self.settings.state_dir).map_err(anyhow::Error::from);
        let whole = read.and_then(|files| {
            let before = std::mem::replace(&mut self.files, files);
            // What was heard so far is not silenced by a file.
            let whole = self.whole_with(&BTreeSet::new());
            whole.inspect_err(|_| self.files = before)
        });
        match whole {
            Ok(whole) => {
                tracing::info!(ports = whole.image.ports.len(), "state loaded");
                Ok(Some(whole))
            }
            Err(error) => {
                self.unread(enforcer, &error)?;
                Ok(None)
            }
        }
    }

    fn unread(&self, enforcer: &Sender<Request>, error: &anyhow::Error) -> Result<(), Gone> {
        let error = format!("state not loaded, the last good one stays: {error:#}");
        tracing::error!("{error}");
        send(enforcer, Request::Unread(error))
    }
}

/// The enforcer has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone;

fn send(enforcer: &Sender<Request>, request: Request) -> Result<(), Gone> {
    enforcer.send(request).map_err(|_| Gone)
}

#[cfg(test)]
mod tests;
