//! Taps of which nobody knows yet whose they are: libvirt writes that down a moment after they appear, and tells nobody.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::news::News;
use crate::cloudstack::libvirt::LibvirtError;

/// When it is looked again, and the longest that this may become: of some it is never known.
const SOON: Duration = Duration::from_millis(250);
const LATE: Duration = Duration::from_secs(60);

/// Whether there are some.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// When to look again, if there are.
    again: Option<Duration>,
    /// Why libvirt cannot be asked, if it cannot.
    reason: Option<String>,
}

impl Doubt {
    /// Takes in whether it is known of all, some of which may be `new`.
    pub(super) fn take_in(&mut self, told: Result<bool, LibvirtError>, new: bool) {
        self.again = match told {
            Ok(true) => None,
            _ => Some(self.again.filter(|_| !new).unwrap_or(SOON)),
        };
        let reason = told.err().map(|error| error.to_string());
        if let Some(error) = reason.as_ref().filter(|_| reason != self.reason) {
            tracing::warn!("libvirt does not tell whose taps are, so their MACs alone decide: {error}");
        }
        self.reason = reason;
    }

    /// Whether libvirt could not be asked when it was needed.
    pub(super) const fn is_blind(&self) -> bool {
        self.reason.is_some()
    }

    /// The next news; where there is doubt and none come, that it is time to look. `None` when nobody is left to tell any.
    pub(super) fn next(&mut self, news: &Receiver<News>) -> Option<News> {
        let Some(again) = self.again else { return news.recv().ok() };
        match news.recv_timeout(again) {
            Err(RecvTimeoutError::Timeout) => {
                let later = LATE.min(again * 2);
                if later == LATE && again != LATE && self.reason.is_none() {
                    tracing::warn!(
                        "libvirt runs no VM that has some of the taps, so their MACs alone decide whose they are"
                    );
                }
                self.again = Some(later);
                Some(News::Links)
            }
            other => other.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn it_is_looked_again_and_ever_later() {
        let (sender, news) = mpsc::channel();
        let mut doubt = Doubt::default();
        sender.send(News::Files).unwrap();
        assert!(matches!(doubt.next(&news), Some(News::Files)));
        doubt.take_in(Ok(false), true);
        // Each tap brings several news.
        doubt.take_in(Ok(false), false);
        assert_eq!(doubt.again, Some(SOON));
        assert!(matches!(doubt.next(&news), Some(News::Links)));
        doubt.take_in(Ok(false), false);
        assert_eq!(doubt.again, Some(SOON * 2));
        doubt.take_in(Ok(false), true);
        assert_eq!(doubt.again, Some(SOON));
        doubt.take_in(Ok(true), false);
        assert_eq!(doubt.again, None);
        drop(sender);
        assert!(doubt.next(&news).is_none());
    }
}
