//! Asking without end, on a thread of its own, and telling what has changed.
//!
//! What was answered last holds until there is another answer. An error is told when it is another than the one before, not
//! each time.

use std::fmt::Display;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use super::pace::{Pace, Rate, luck};
use super::{Answer, Store};
use crate::durable::StoreError;

/// What there is to tell.
#[derive(Debug)]
pub enum Event<T, E> {
    /// The first answer since it began to ask. What is another than before is told beside it.
    Answered,
    /// An answer that is another than the one before.
    Changed(Arc<T>),
    /// An answer again, after errors, of which one was told. What has changed meanwhile is told beside it.
    Recovered,
    /// No answer, for another reason than before. What was answered before stays.
    Failed(E),
    /// The answer cannot be kept for the next start, for another reason than before.
    NotKept(StoreError),
}

impl<T, E> Event<T, E> {
    /// Whether the last question was answered, if this tells it.
    pub const fn is_answer(&self) -> Option<bool> {
        match self {
            Self::Answered | Self::Changed(_) | Self::Recovered => Some(true),
            Self::Failed(_) => Some(false),
            Self::NotKept(_) => None,
        }
    }
}

/// Who is told; nobody any more after the end.
type Listener<T, E> = Arc<Mutex<Option<Box<dyn FnMut(Event<T, E>) + Send>>>>;

/// The asking. It ends when this is dropped.
pub struct Poller<T, E> {
    orders: Sender<Order>,
    listener: Listener<T, E>,
}

enum Order {
    Hurry,
    Stop,
}

impl<T: Answer, E: Display + Send + 'static> Poller<T, E> {
    /// Asks now, and again at this `rate`. `known` is what was answered before, as [`Store::load`] has it; to this
    /// and to each later answer the next is compared. Answers are kept in `store` before they are told.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        ask: impl FnMut() -> Result<T, E> + Send + 'static,
        rate: Rate,
        store: Store<T>,
        known: Option<Arc<T>>,
        listener: impl FnMut(Event<T, E>) + Send + 'static,
    ) -> io::Result<Self> {
        let listener: Listener<T, E> = Arc::new(Mutex::new(Some(Box::new(listener))));
        let (orders, queue) = mpsc::channel();
        let mut work = Work { ask, store, known, answered: false, error: None, not_kept: None };
        let told = Arc::clone(&listener);
        thread::Builder::new().name(T::WHO.to_owned()).spawn(move || {
            run(&queue, rate, || {
                work.round(&mut |event| {
                    if let Some(tell) = told.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                        tell(event);
                    }
                })
            });
        })?;
        Ok(Self { orders, listener })
    }
}

impl<T, E> Poller<T, E> {
    /// Asks soon, and not only when it is time: something here, a tap, is news.
    pub fn hurry(&self) {
        self.hurrying()();
    }

    /// The same, for others to call.
    pub fn hurrying(&self) -> impl Fn() + Send + use<T, E> {
        let orders = self.orders.clone();
        // It may have ended: so has the need.
        move || drop(orders.send(Order::Hurry))
    }

    /// Ends it. Nothing is told after this; a question that is under way is not waited for.
    pub fn stop(self) {
        drop(self);
    }
}

impl<T, E> Drop for Poller<T, E> {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What is asked, and what is remembered from one answer to the next.
struct Work<T, Ask> {
    ask: Ask,
    store: Store<T>,
    known: Option<Arc<T>>,
    answered: bool,
    error: Option<String>,
    not_kept: Option<String>,
}

impl<T: Answer, E: Display, Ask: FnMut() -> Result<T, E>> Work<T, Ask> {
    /// Asks once, and tells what is new. Returns whether there was an answer.
    fn round(&mut self, tell: &mut dyn FnMut(Event<T, E>)) -> bool {
        let answer = (self.ask)();
        let well = answer.is_ok();
        match answer {
            Ok(answer) => {
                if self.error.take().is_some() {
                    tell(Event::Recovered);
                } else if !self.answered {
                    tell(Event::Answered);
                }
                self.answered = true;
                let changed = self.known.as_deref() != Some(&answer);
                let answer = Arc::new(answer);
                if changed || self.not_kept.is_some() {
                    self.keep(&answer, tell);
                }
                if changed {
                    self.known = Some(Arc::clone(&answer));
                    tell(Event::Changed(answer));
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.error.as_ref() != Some(&text) {
                    self.error = Some(text);
                    tell(Event::Failed(error));
                }
            }
        }
        well
    }

    fn keep(&mut self, answer: &T, tell: &mut dyn FnMut(Event<T, E>)) {
        let problem = self.store.save(answer).err();
        let text = problem.as_ref().map(ToString::to_string);
        if self.not_kept != text {
            self.not_kept = text;
            problem.into_iter().for_each(|problem| tell(Event::NotKept(problem)));
        }
    }
}

/// Does a round whenever it is time, until it is told to stop.
fn run(orders: &Receiver<Order>, rate: Rate, mut round: impl FnMut() -> bool) {
    let mut pace = Pace::new(rate);
    let least = rate.least.min(rate.interval);
    loop {
        let begun = Instant::now();
        let wait = pace.after(round(), luck());
        let mut due = Instant::now() + wait;
        loop {
            match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Order::Hurry) => due = due.min(begun + least),
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::time::Duration;

    use super::*;

    type Strings = Vec<String>;

    fn answer(words: &[&str]) -> Strings {
        words.iter().map(ToString::to_string).collect()
    }

    const fn rate(interval: Duration) -> Rate {
        Rate { interval, least: Duration::from_secs(5), retry: interval, longest: interval }
    }

    fn names(events: Vec<Event<Strings, &'static str>>) -> Vec<String> {
        let name = |event: Event<Strings, &'static str>| match event {
            Event::Answered => "answered".to_owned(),
            Event::Changed(answer) => format!("changed to {}", answer.len()),
            Event::Recovered => "recovered".to_owned(),
            Event::Failed(error) => error.to_owned(),
            Event::NotKept(_) => "not kept".to_owned(),
        };
        events.into_iter().map(name).collect()
    }

    #[test]
    fn only_what_is_new_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (full, empty) = (answer(&["one", "two"]), Strings::new());
        let script = [
            (Ok(full.clone()), vec!["answered"]),
            (Ok(empty.clone()), vec!["changed to 0"]),
            (Err("a"), vec!["a"]),
            (Err("a"), vec![]),
            (Err("b"), vec!["b"]),
            (Ok(empty), vec!["recovered"]),
            (Err("b"), vec!["b"]),
            (Ok(full.clone()), vec!["recovered", "changed to 2"]),
        ];
        let (answers, wanted): (Vec<_>, Vec<_>) = script.into_iter().unzip();
        let mut answers = answers.into_iter();
        let ask = || answers.next().unwrap();
        let known = Some(Arc::new(full.clone()));
        let mut work = Work { ask, store: store.clone(), known, answered: false, error: None, not_kept: None };
        for wanted in wanted {
            let mut events = Vec::new();
            let well = work.round(&mut |event| events.push(event));
            assert_eq!(well, !events.iter().any(|event| matches!(event, Event::Failed(_))) && work.error.is_none());
            assert_eq!(names(events), wanted);
        }
        assert_eq!(store.load().unwrap(), Some(full));
    }

    #[test]
    fn an_answer_that_cannot_be_kept_is_told_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let obstacle = directory.path().join(".answer.json.new");
        fs::create_dir(&obstacle).unwrap();
        let ask = || Ok(answer(&["one", "two"]));
        let mut work = Work { ask, store: store.clone(), known: None, answered: false, error: None, not_kept: None };
        let mut round = || {
            let mut events = Vec::new();
            work.round(&mut |event| events.push(event));
            names(events)
        };
        assert_eq!(round(), ["answered", "not kept", "changed to 2"]);
        assert_eq!(round(), [""; 0]);
        fs::remove_dir(&obstacle).unwrap();
        assert_eq!(round(), [""; 0]);
        assert_eq!(store.load().unwrap(), Some(answer(&["one", "two"])));
    }

    #[test]
    fn it_stops_and_hurries() {
        let (orders, queue) = mpsc::channel();
        let (done, rounds) = mpsc::channel();
        let interval = Duration::from_secs(3600);
        let thread = thread::spawn(move || {
            run(&queue, rate(interval), || {
                done.send(()).unwrap();
                true
            });
        });
        rounds.recv().unwrap();
        assert!(rounds.recv_timeout(Duration::from_millis(20)).is_err());
        orders.send(Order::Stop).unwrap();
        thread.join().unwrap();

        let (orders, queue) = mpsc::channel();
        orders.send(Order::Hurry).unwrap();
        drop(orders);
        let mut rounds = 0;
        run(&queue, rate(Duration::ZERO), || {
            rounds += 1;
            true
        });
        assert!(rounds >= 1);
    }
}
