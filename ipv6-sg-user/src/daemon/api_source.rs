//! CloudStack's management server as a source: what it last answered, and the thread that asks it again and again.

use std::collections::BTreeSet;
use std::sync::mpsc::Sender;

use anyhow::{Context as _, Result};

use super::asked::Asked;
use super::news::News;
use crate::cloudstack::Taps;
use crate::cloudstack::api::{self, ApiError, Client, Config, Event, Inventory, Oddity};
use crate::state::Settings;

/// The source; nothing where the settings name no server.
#[derive(Default)]
pub(super) struct ApiSource {
    asked: Option<Asked<Inventory, ApiError>>,
    /// Who asks, until the asking begins.
    client: Option<Client>,
    /// What the log has been told is odd, and whether something else may be by now.
    noted: BTreeSet<String>,
    unnoted: bool,
    /// Whether it is not known of some taps whose they are.
    unsure: bool,
    taps: Taps,
}

impl ApiSource {
    /// With what was answered last.
    ///
    /// # Errors
    /// The settings name what cannot be asked.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        let Some(server) = &settings.source.cloudstack else { return Ok(Self::default()) };
        let config = Config::from(server);
        let client = Some(Client::new(&config).context("source.cloudstack")?);
        let asked = Some(Asked::open(&settings.data_dir, config.rate())?);
        Ok(Self { asked, client, unnoted: true, ..Self::default() })
    }

    /// Begins to ask. Answers are told to the steward.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn ask(&mut self, news: &Sender<News>) -> Result<()> {
        let (Some(asked), Some(client)) = (&mut self.asked, self.client.take()) else { return Ok(()) };
        let news = news.clone();
        // The steward has ended when nobody hears.
        asked.begin(move || client.inventory(), move |event| drop(news.send(News::Api(event))))
    }

    /// Whether it answered when it was asked last, if it is asked.
    pub(super) fn answers(&self) -> Option<bool> {
        self.asked.as_ref().map(Asked::answers)
    }

    /// Whether an event is about what is wanted.
    pub(super) fn hear(&mut self, event: Event) -> bool {
        let has_changed = self.asked.as_mut().is_some_and(|asked| asked.hear(event));
        self.unnoted |= has_changed;
        has_changed
    }

    /// What was answered last.
    pub(super) fn inventory(&self) -> Option<&Inventory> {
        self.asked.as_ref()?.known()
    }

    /// Whether what is wanted is known in part only: there is a server that has never answered, or taps cannot be told apart.
    pub(super) fn is_incomplete(&self) -> bool {
        self.asked.is_some() && self.inventory().is_none() || self.unsure
    }

    /// Takes in which taps there are; whether that may be other ports. The server is asked soon about those that are new.
    pub(super) fn look(&mut self, taps: &Taps) -> bool {
        let Some(asked) = &self.asked else { return false };
        if self.taps == *taps {
            return false;
        }
        (self.taps, self.unnoted) = (taps.clone(), true);
        asked.hurry();
        true
    }

    /// Tells the log what is odd about the last answer, once.
    pub(super) fn note_oddities(&mut self, taps: &Taps) {
        let Some(inventory) = self.inventory().filter(|_| self.unnoted) else { return };
        let oddities = api::translate(inventory, taps).oddities;
        self.unsure = oddities.iter().any(|oddity| matches!(oddity, Oddity::Ambiguous { .. }));
        let oddities: BTreeSet<_> = oddities.iter().map(ToString::to_string).collect();
        for oddity in oddities.difference(&self.noted) {
            tracing::warn!("{oddity}");
        }
        (self.noted, self.unnoted) = (oddities, false);
    }
}
