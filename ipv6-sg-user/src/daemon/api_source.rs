//! CloudStack's management server as a source: what it last answered, and the thread that asks it again and again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use anyhow::{Context as _, Result};

use super::news::News;
use crate::cloudstack::Taps;
use crate::cloudstack::api::{self, Client, Config, Event, Inventory, Oddity, Poller, Store};
use crate::poll::Rate;
use crate::state::Settings;

/// The source; nothing where the settings name no server.
#[derive(Default)]
pub(super) struct ApiSource {
    asked: Option<Asked>,
    inventory: Option<Arc<Inventory>>,
    /// Whether the last question was answered.
    answers: bool,
    /// What the log has been told is odd, and whether something else may be by now.
    noted: BTreeSet<String>,
    unnoted: bool,
    /// Whether it is not known of some taps whose they are.
    unsure: bool,
    taps: Taps,
}

/// A server that is asked.
struct Asked {
    /// What is needed to begin; none once it has begun.
    start: Option<(Client, Store)>,
    rate: Rate,
    poller: Option<Poller>,
}

impl ApiSource {
    /// With what was answered last.
    ///
    /// # Errors
    /// The settings name what cannot be asked.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let Some(server) = &settings.source.cloudstack else { return Ok(Self::default()) };
        let config = Config::from(server);
        let client = Client::new(&config).context("source.cloudstack")?;
        let store = Store::open(&settings.data_dir)?;
        let inventory = store.load().unwrap_or_else(|error| {
            tracing::error!("{error}");
            None
        });
        let asked = Some(Asked { start: Some((client, store)), rate: config.rate(), poller: None });
        Ok(Self { asked, inventory: inventory.map(Arc::new), unnoted: true, ..Self::default() })
    }

    /// Begins to ask. Answers are told to the steward.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn ask(&mut self, news: &Sender<News>) -> Result<()> {
        let Some(asked) = &mut self.asked else { return Ok(()) };
        if let Some((client, store)) = asked.start.take() {
            let (news, known) = (news.clone(), self.inventory.clone());
            // The steward has ended when nobody hears.
            let tell = move |event| drop(news.send(News::Api(event)));
            asked.poller = Some(Poller::start(move || client.inventory(), asked.rate, store, known, tell)?);
        }
        Ok(())
    }

    /// Whether it answered when it was asked last, if it is asked.
    pub(super) fn answers(&self) -> Option<bool> {
        self.asked.as_ref().map(|_| self.answers)
    }

    /// Whether an event is about what is wanted.
    pub(super) fn hear(&mut self, event: Event) -> bool {
        self.answers = event.is_answer().unwrap_or(self.answers);
        match event {
            Event::Changed(inventory) => {
                (self.inventory, self.unnoted) = (Some(inventory), true);
                return true;
            }
            Event::Answered => {}
            Event::Recovered => tracing::info!("CloudStack answers again"),
            Event::Failed(error) => tracing::warn!("CloudStack does not answer, what it last said stays: {error}"),
            Event::NotKept(error) => tracing::error!("what CloudStack says holds until the daemon ends: {error}"),
        }
        false
    }

    /// What was answered last.
    pub(super) fn inventory(&self) -> Option<&Inventory> {
        self.inventory.as_deref()
    }

    /// Whether what is wanted is known in part only: there is a server that has never answered, or taps cannot be told apart.
    pub(super) const fn is_incomplete(&self) -> bool {
        self.asked.is_some() && self.inventory.is_none() || self.unsure
    }

    /// Takes in which taps there are; whether that may be other ports. The server is asked soon about those that are new.
    pub(super) fn look(&mut self, taps: &Taps) -> bool {
        let Some(asked) = &self.asked else { return false };
        if self.taps == *taps {
            return false;
        }
        (self.taps, self.unnoted) = (taps.clone(), true);
        if let Some(poller) = &asked.poller {
            poller.hurry();
        }
        true
    }

    /// Tells the log what is odd about the last answer, once.
    pub(super) fn note_oddities(&mut self, taps: &Taps) {
        let Some(inventory) = self.inventory.as_deref().filter(|_| self.unnoted) else { return };
        let oddities = api::translate(inventory, taps).oddities;
        self.unsure = oddities.iter().any(|oddity| matches!(oddity, Oddity::Ambiguous { .. }));
        let oddities: BTreeSet<_> = oddities.iter().map(ToString::to_string).collect();
        for oddity in oddities.difference(&self.noted) {
            tracing::warn!("{oddity}");
        }
        (self.noted, self.unnoted) = (oddities, false);
    }
}
