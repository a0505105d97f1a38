//! Kea's hosts database as a source: what was last read there, and the threads that read it again and hear of changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Result;

use super::news::News;
use crate::kea::{Asking, Delegations, KeaError, Listening, Wanted};
use crate::poll::{Event, Poller, Rate, Store};
use crate::sources::NotGiven;
use crate::state::{Kea, Model, Settings};

/// What is told of it.
pub(super) type KeaEvent = Event<Delegations, KeaError>;

/// The source; nothing where the settings name no database.
#[derive(Default)]
pub(super) struct KeaSource {
    asked: Option<Asked>,
    delegations: Option<Arc<Delegations>>,
    /// Whether the last question was answered.
    answers: bool,
    /// What the log has been told is nobody's.
    noted: BTreeSet<String>,
}

/// A database that is asked.
struct Asked {
    settings: Kea,
    wanted: Wanted,
    /// What is needed to begin; none once it has begun.
    store: Option<Store<Delegations>>,
    asking: Option<(Poller<Delegations, KeaError>, Listening)>,
}

impl KeaSource {
    /// With what was read last.
    ///
    /// # Errors
    /// There is no place to keep what is read.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let Some(kea) = &settings.source.kea else { return Ok(Self::default()) };
        let store = Store::open(&settings.data_dir)?;
        let delegations = store.load().unwrap_or_else(|error| {
            tracing::error!("{error}");
            None
        });
        let (settings, wanted) = (kea.clone(), Wanted::default());
        let asked = Some(Asked { settings, wanted, store: Some(store), asking: None });
        Ok(Self { asked, delegations: delegations.map(Arc::new), ..Self::default() })
    }

    /// Begins to ask. Answers are told to the steward.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn ask(&mut self, news: &Sender<News>) -> Result<()> {
        let Some(asked) = &mut self.asked else { return Ok(()) };
        let Some(store) = asked.store.take() else { return Ok(()) };
        let (news, known) = (news.clone(), self.delegations.clone());
        let mut asking = Asking::new(asked.settings.clone(), asked.wanted.clone())?;
        // The steward has ended when nobody hears.
        let tell = move |event| drop(news.send(News::Kea(event)));
        let poller = Poller::start(move || asking.ask(), rate(&asked.settings), store, known, tell)?;
        let (database, wanted) = (asked.settings.database.clone(), asked.wanted.clone());
        let listening = Listening::start(database, wanted, poller.hurrying())?;
        asked.asking = Some((poller, listening));
        Ok(())
    }

    /// Whether it answered when it was asked last, if it is asked.
    pub(super) fn answers(&self) -> Option<bool> {
        self.asked.as_ref().map(|_| self.answers)
    }

    /// Whether an event is about what is wanted.
    pub(super) fn hear(&mut self, event: KeaEvent) -> bool {
        self.answers = event.is_answer().unwrap_or(self.answers);
        match event {
            Event::Changed(delegations) => {
                self.delegations = Some(delegations);
                return true;
            }
            Event::Answered => {}
            Event::Recovered => tracing::info!("Kea's database answers again"),
            Event::Failed(error) => tracing::warn!("Kea's database does not answer, what it last said stays: {error}"),
            Event::NotKept(error) => tracing::error!("what Kea's database says holds until the daemon ends: {error}"),
        }
        false
    }

    /// What was read last.
    pub(super) fn delegations(&self) -> Option<&Delegations> {
        self.delegations.as_deref()
    }

    /// Has the database be asked about the MACs of these ports, soon where there are others than before. What is known of MACs
    /// that are gone holds until then: a VM may have moved to another tap.
    pub(super) fn follow(&self, model: &Model) {
        let Some(asked) = &self.asked else { return };
        let differs = asked.wanted.set(model.ports().values().map(|port| port.mac).collect());
        if let (true, Some((poller, _))) = (differs, &asked.asking) {
            poller.hurry();
        }
    }

    /// Tells the log what is reserved and nobody's, once.
    pub(super) fn note(&mut self, not_given: &[NotGiven]) {
        let not_given: BTreeSet<_> = not_given.iter().map(ToString::to_string).collect();
        for text in not_given.difference(&self.noted) {
            tracing::warn!("{text}");
        }
        self.noted = not_given;
    }
}

/// A prefix that is taken back is cut as soon as that is heard of, and one that is given works as soon.
fn rate(settings: &Kea) -> Rate {
    let interval = Duration::from_secs(settings.interval.into());
    let retry = interval.min(Duration::from_secs(5));
    Rate { interval, least: Duration::from_millis(50), retry, longest: Duration::from_secs(60) }
}
