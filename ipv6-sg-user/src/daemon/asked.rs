//! Somebody who is asked again and again: what he last answered holds, also over a restart.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use crate::poll::{Answer, Event, Poller, Rate, Store};

/// Who is asked.
pub(super) struct Asked<T, E> {
    /// Until the asking begins.
    store: Option<Store<T>>,
    rate: Rate,
    poller: Option<Poller<T, E>>,
    known: Option<Arc<T>>,
    answers: bool,
}

impl<T: Answer, E: Display + Send + 'static> Asked<T, E> {
    /// With what was answered last; it is not asked yet.
    ///
    /// # Errors
    /// There is no place to keep what is answered.
    pub(super) fn open(data_dir: &Path, rate: Rate) -> Result<Self> {
        let store = Store::open(data_dir)?;
        let known = store.load().unwrap_or_else(|error| {
            tracing::error!("{error}");
            None
        });
        Ok(Self { store: Some(store), rate, poller: None, known: known.map(Arc::new), answers: false })
    }

    /// Begins to ask. What there is to `tell` is for [`hear`](Self::hear).
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn begin(
        &mut self,
        ask: impl FnMut() -> Result<T, E> + Send + 'static,
        tell: impl FnMut(Event<T, E>) + Send + 'static,
    ) -> Result<()> {
        if let Some(store) = self.store.take() {
            self.poller = Some(Poller::start(ask, self.rate, store, self.known.clone(), tell)?);
        }
        Ok(())
    }

    /// Takes in what was told; whether that is another answer than before.
    pub(super) fn hear(&mut self, event: Event<T, E>) -> bool {
        self.answers = event.is_answer().unwrap_or(self.answers);
        let who = T::WHO;
        match event {
            Event::Changed(answer) => {
                self.known = Some(answer);
                return true;
            }
            Event::Answered => {}
            Event::Recovered => tracing::info!("{who} answers again"),
            Event::Failed(error) => tracing::warn!("{who} does not answer, what it last said stays: {error}"),
            Event::NotKept(error) => tracing::error!("what {who} says holds until the daemon ends: {error}"),
        }
        false
    }

    /// What was answered last.
    pub(super) fn known(&self) -> Option<&T> {
        self.known.as_deref()
    }

    /// Whether the last question was answered.
    pub(super) const fn answers(&self) -> bool {
        self.answers
    }

    /// Asks soon, if the asking has begun.
    pub(super) fn hurry(&self) {
        if let Some(poller) = &self.poller {
            poller.hurry();
        }
    }

    /// The same, for others to call.
    pub(super) fn hurrying(&self) -> Option<impl Fn() + Send + use<T, E>> {
        self.poller.as_ref().map(Poller::hurrying)
    }
}
