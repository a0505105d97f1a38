//! Asking the management server without end, on a thread of its own, and telling what has changed.
//!
//! What was answered last holds until there is another answer. An error is told when it is another than the one before, not
//! each time.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::pace::{Pace, luck};
use super::store::StoreError;
use super::{ApiError, Client, Inventory, Store};

/// The least time from one question to one that somebody was in a hurry for.
const LEAST: Duration = Duration::from_secs(5);

/// What there is to tell.
#[derive(Debug)]
pub enum Event {
    /// An answer that is another than the one before.
    Changed(Arc<Inventory>),
    /// An answer again, after errors. What has changed meanwhile is told beside it.
    Recovered,
    /// No answer, for another reason than before. What was answered before stays.
    Failed(ApiError),
    /// The answer cannot be kept for the next start, for another reason than before.
    NotKept(StoreError),
}

/// Who is told; nobody any more after the end.
type Listener = Arc<Mutex<Option<Box<dyn FnMut(Event) + Send>>>>;

/// The asking. It ends when this is dropped.
pub struct Poller {
    orders: Sender<Order>,
    listener: Listener,
}

enum Order {
    Hurry,
    Stop,
}

impl Poller {
    /// Asks now, and again after each `interval`. `known` is what was answered before, as [`Store::load`] has it; to this
    /// and to each later answer the next is compared. Answers are kept in `store` before they are told.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        client: Client,
        interval: Duration,
        store: Store,
        known: Option<Arc<Inventory>>,
        listener: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<Self> {
        let listener: Listener = Arc::new(Mutex::new(Some(Box::new(listener))));
        let (orders, queue) = mpsc::channel();
        let mut work = Work { ask: move || client.inventory(), store, known, error: None, not_kept: None };
        let told = Arc::clone(&listener);
        thread::Builder::new().name("cloudstack".to_owned()).spawn(move || {
            run(&queue, interval, || {
                work.round(&mut |event| {
                    if let Some(tell) = told.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                        tell(event);
                    }
                })
            });
        })?;
        Ok(Self { orders, listener })
    }

    /// Asks soon, and not only when it is time: something here, a tap, is news.
    pub fn hurry(&self) {
        // It has ended: so has the need.
        let _ = self.orders.send(Order::Hurry);
    }

    /// Ends it. Nothing is told after this; a question that is under way is not waited for.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// What is asked, and what is remembered from one answer to the next.
struct Work<Ask> {
    ask: Ask,
    store: Store,
    known: Option<Arc<Inventory>>,
    error: Option<String>,
    not_kept: Option<String>,
}

impl<Ask: FnMut() -> Result<Inventory, ApiError>> Work<Ask> {
    /// Asks once, and tells what is new. Returns whether there was an answer.
    fn round(&mut self, tell: &mut dyn FnMut(Event)) -> bool {
        let answer = (self.ask)();
        let well = answer.is_ok();
        match answer {
            Ok(inventory) => {
                if self.error.take().is_some() {
                    tell(Event::Recovered);
                }
                let changed = self.known.as_deref() != Some(&inventory);
                let inventory = Arc::new(inventory);
                if changed || self.not_kept.is_some() {
                    self.keep(&inventory, tell);
                }
                if changed {
                    self.known = Some(Arc::clone(&inventory));
                    tell(Event::Changed(inventory));
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

    fn keep(&mut self, inventory: &Inventory, tell: &mut dyn FnMut(Event)) {
        let problem = self.store.save(inventory).err();
        let text = problem.as_ref().map(ToString::to_string);
        if self.not_kept != text {
            self.not_kept = text;
            problem.into_iter().for_each(|problem| tell(Event::NotKept(problem)));
        }
    }
}

/// Does a round whenever it is time, until it is told to stop.
fn run(orders: &Receiver<Order>, interval: Duration, mut round: impl FnMut() -> bool) {
    let mut pace = Pace::new(interval);
    let least = LEAST.min(interval);
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

    use super::super::declare::tests::inventory;
    use super::*;

    fn names(events: Vec<Event>) -> Vec<String> {
        let name = |event| match event {
            Event::Changed(inventory) => format!("changed to {}", inventory.vms.len()),
            Event::Recovered => "recovered".to_owned(),
            Event::Failed(error) => error.to_string(),
            Event::NotKept(_) => "not kept".to_owned(),
        };
        events.into_iter().map(name).collect()
    }

    fn refused(text: &str) -> Result<Inventory, ApiError> {
        Err(ApiError::Refused { command: "listHosts", status: 530, text: text.to_owned() })
    }

    #[test]
    fn only_what_is_new_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (full, empty) = (inventory(), Inventory { vms: Vec::new(), ..inventory() });
        let script = [
            (Ok(full.clone()), vec![]),
            (Ok(empty.clone()), vec!["changed to 0"]),
            (refused("a"), vec!["listHosts: CloudStack answers 530: a"]),
            (refused("a"), vec![]),
            (refused("b"), vec!["listHosts: CloudStack answers 530: b"]),
            (Ok(empty), vec!["recovered"]),
            (refused("b"), vec!["listHosts: CloudStack answers 530: b"]),
            (Ok(full.clone()), vec!["recovered", "changed to 2"]),
        ];
        let (answers, wanted): (Vec<_>, Vec<_>) = script.into_iter().unzip();
        let mut answers = answers.into_iter();
        let ask = || answers.next().unwrap();
        let known = Some(Arc::new(full.clone()));
        let mut work = Work { ask, store: store.clone(), known, error: None, not_kept: None };
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
        let obstacle = directory.path().join(".cloudstack-api.json.new");
        fs::create_dir(&obstacle).unwrap();
        let ask = || Ok(inventory());
        let mut work = Work { ask, store: store.clone(), known: None, error: None, not_kept: None };
        let mut round = || {
            let mut events = Vec::new();
            work.round(&mut |event| events.push(event));
            names(events)
        };
        assert_eq!(round(), ["not kept", "changed to 2"]);
        assert_eq!(round(), [""; 0]);
        fs::remove_dir(&obstacle).unwrap();
        assert_eq!(round(), [""; 0]);
        assert_eq!(store.load().unwrap(), Some(inventory()));
    }

    #[test]
    fn it_stops_and_hurries() {
        let (orders, queue) = mpsc::channel();
        let (done, rounds) = mpsc::channel();
        let interval = Duration::from_secs(3600);
        let thread = thread::spawn(move || {
            run(&queue, interval, || {
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
        run(&queue, Duration::ZERO, || {
            rounds += 1;
            true
        });
        assert!(rounds >= 1);
    }
}
