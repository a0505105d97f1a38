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
            _ => Some(self.again.filter(|_| !new).map_or(SOON, |again| LATE.min(again * 2))),
        };
        let reason = told.err().map(|error| error.to_string());
        if let Some(error) = reason.as_ref().filter(|_| reason != self.reason) {
            tracing::warn!("taps have MACs that do not tell whose they are, and libvirt does not either: {error}");
        }
        self.reason = reason;
    }

    /// The next news; where there is doubt and none come, that it is time to look. `None` when nobody is left to tell any.
    pub(super) fn next(&self, news: &Receiver<News>) -> Option<News> {
        match self.again {
            None => news.recv().ok(),
            Some(again) => match news.recv_timeout(again) {
                Err(RecvTimeoutError::Timeout) => Some(News::Links),
                other => other.ok(),
            },
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
        assert!(matches!(doubt.next(&news), Some(News::Links)));
        let mut waits = Vec::new();
        for new in [false, false, true, false] {
            doubt.take_in(Ok(false), new);
            waits.push(doubt.again);
        }
        assert_eq!(waits, [2, 4, 1, 2].map(|times| Some(SOON * times)));
        (0..20).for_each(|_| doubt.take_in(Ok(false), false));
        assert_eq!(doubt.again, Some(LATE));
        doubt.take_in(Ok(true), false);
        assert_eq!(doubt.again, None);
        drop(sender);
        assert!(doubt.next(&news).is_none());
    }
}
