//! Whose turn it is on the enforcer's thread: somebody's request, or what it put off. Does neither itself.

use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::enforcer::Request;

/// What to do now.
pub(super) enum Turn {
    /// What was asked.
    Serve(Request),
    /// One of the things that were put off.
    CatchUp,
    /// Nothing was asked for as long as there was patience.
    Nothing,
    /// Nobody can ask any more.
    End,
}

/// The requests, in the order they came.
pub(super) struct Inbox<'a> {
    requests: &'a Receiver<Request>,
    held: Option<Request>,
    /// Whether the last turn was a request's.
    served: bool,
}

impl<'a> Inbox<'a> {
    pub(super) const fn new(requests: &'a Receiver<Request>) -> Self {
        Self { requests, held: None, served: false }
    }

    /// Whose turn it is. While the enforcer is `behind`, requests come first, but after each of them one thing that was
    /// put off has its turn: interfaces may come and go without end. Else it waits for a request for `patience`.
    pub(super) fn next(&mut self, behind: bool, patience: Duration) -> Turn {
        if mem::take(&mut self.served) && behind {
            return Turn::CatchUp;
        }
        let patience = if behind { Duration::ZERO } else { patience };
        let request = match self.held.take().map_or_else(|| self.requests.recv_timeout(patience), Ok) {
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) if behind => return Turn::CatchUp,
            Err(RecvTimeoutError::Timeout) => return Turn::Nothing,
            Err(RecvTimeoutError::Disconnected) => return Turn::End,
        };
        if matches!(request, Request::Links) {
            // One look answers all that have come since.
            self.held = self.requests.try_iter().find(|request| !matches!(request, Request::Links));
        }
        self.served = true;
        Turn::Serve(request)
    }

    /// Whether somebody waits who asked for more than a look at interfaces. What is known of these is old then.
    pub(super) fn is_waited_for(&mut self) -> bool {
        if self.held.is_none() {
            self.held = self.requests.try_iter().find(|request| !matches!(request, Request::Links));
        }
        self.held.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use tokio::sync::oneshot;

    use super::*;

    fn name(turn: &Turn) -> &'static str {
        match turn {
            Turn::Serve(Request::Links) => "links",
            Turn::Serve(Request::Status(_)) => "status",
            Turn::Serve(Request::Stop) => "stop",
            Turn::Serve(_) => "another request",
            Turn::CatchUp => "catch up",
            Turn::Nothing => "nothing",
            Turn::End => "end",
        }
    }

    fn ask(requests: &Sender<Request>, request: Request) {
        requests.send(request).expect("the other end is there");
    }

    #[test]
    fn what_was_put_off_has_its_turn_under_a_steady_stream_of_news() {
        let (requests, queue) = channel();
        let mut inbox = Inbox::new(&queue);
        let mut turns = Vec::new();
        for _ in 0..6 {
            // Before each turn there is more to hear.
            (0..3).for_each(|_| ask(&requests, Request::Links));
            turns.push(name(&inbox.next(true, Duration::MAX)));
        }
        assert_eq!(turns, ["links", "catch up", "links", "catch up", "links", "catch up"]);
    }

    #[test]
    fn news_of_links_is_read_together_and_nothing_else_is_lost_or_overtaken() {
        let (requests, queue) = channel();
        let mut inbox = Inbox::new(&queue);
        (0..3).for_each(|_| ask(&requests, Request::Links));
        ask(&requests, Request::Status(oneshot::channel().0));
        ask(&requests, Request::Links);
        ask(&requests, Request::Stop);
        drop(requests);
        let turns: Vec<_> = (0..5).map(|_| name(&inbox.next(false, Duration::ZERO))).collect();
        assert_eq!(turns, ["links", "status", "links", "stop", "end"]);
    }

    #[test]
    fn who_waits_is_noticed_and_served_next() {
        let (requests, queue) = channel();
        let mut inbox = Inbox::new(&queue);
        ask(&requests, Request::Links);
        assert!(!inbox.is_waited_for());
        ask(&requests, Request::Links);
        ask(&requests, Request::Status(oneshot::channel().0));
        ask(&requests, Request::Stop);
        assert!(inbox.is_waited_for() && inbox.is_waited_for());
        let turns = [true, true, true].map(|behind| name(&inbox.next(behind, Duration::ZERO)));
        assert_eq!(turns, ["status", "catch up", "stop"]);
    }

    #[test]
    fn with_nothing_to_hear_it_catches_up_until_nothing_is_left() {
        let (_requests, queue) = channel();
        let mut inbox = Inbox::new(&queue);
        let turns = [true, true, false].map(|behind| name(&inbox.next(behind, Duration::ZERO)));
        assert_eq!(turns, ["catch up", "catch up", "nothing"]);
    }
}
