//! Kea's hosts database as a source: what was last read there, and the threads that read it again and hear of changes.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::time::Duration;

use anyhow::Result;

use super::asked::Asked;
use super::news::News;
use crate::kea::{Asking, Delegations, KeaError, Listening, Wanted};
use crate::poll::{Event, Rate};
use crate::sources::NotGiven;
use crate::state::{Kea, Model, Settings};

/// What is told of it.
pub(super) type KeaEvent = Event<Delegations, KeaError>;

/// The source; nothing where the settings name no database.
#[derive(Default)]
pub(super) struct KeaSource {
    asked: Option<Asked<Delegations, KeaError>>,
    wanted: Wanted,
    /// Who is asked, until the asking begins.
    settings: Option<Kea>,
    listening: Option<Listening>,
    /// What the log has been told is nobody's.
    noted: BTreeSet<String>,
}

impl KeaSource {
    /// With what was read last.
    ///
    /// # Errors
    /// There is no place to keep what is read.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let Some(kea) = &settings.source.kea else { return Ok(Self::default()) };
        let asked = Some(Asked::open(&settings.data_dir, rate(kea))?);
        Ok(Self { asked, settings: Some(kea.clone()), ..Self::default() })
    }

    /// Begins to ask. Answers are told to the steward.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn ask(&mut self, news: &Sender<News>) -> Result<()> {
        let (Some(asked), Some(settings)) = (&mut self.asked, self.settings.take()) else { return Ok(()) };
        let (news, database) = (news.clone(), settings.database.clone());
        let mut asking = Asking::new(settings, self.wanted.clone())?;
        // The steward has ended when nobody hears.
        asked.begin(move || asking.ask(), move |event| drop(news.send(News::Kea(event))))?;
        if let Some(changed) = asked.hurrying() {
            self.listening = Some(Listening::start(database, self.wanted.clone(), changed)?);
        }
        Ok(())
    }

    /// Whether it answered when it was asked last, if it is asked.
    pub(super) fn answers(&self) -> Option<bool> {
        self.asked.as_ref().map(Asked::answers)
    }

    /// Whether an event is about what is wanted.
    pub(super) fn hear(&mut self, event: KeaEvent) -> bool {
        self.asked.as_mut().is_some_and(|asked| asked.hear(event))
    }

    /// What was read last.
    pub(super) fn delegations(&self) -> Option<&Delegations> {
        self.asked.as_ref()?.known()
    }

    /// Has the database be asked about the MACs of these ports, soon where there are others than before. What is known of MACs
    /// that are gone holds until then: a VM may have moved to another tap.
    pub(super) fn follow(&self, model: &Model) {
        let Some(asked) = &self.asked else { return };
        if self.wanted.set(model.ports().values().map(|port| port.mac).collect()) {
            asked.hurry();
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
