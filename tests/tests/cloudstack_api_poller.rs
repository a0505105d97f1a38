//! Asking again and again: what changes is told, what fails is told once, and what was known last stays.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ipv6_sg::cloudstack::api::{Client, Event, Inventory, Poller, Store};
use ipv6_sg::poll::Rate;
use ipv6_sg_tests::lab::{PATIENCE, eventually};
use ipv6_sg_tests::management::{Cloud, Fault, HERE, IMPATIENT, Management};
use serde_json::json;

struct Polled {
    poller: Poller,
    events: Receiver<Event>,
    management: Management,
    store: Store,
    _directory: tempfile::TempDir,
}

fn start(interval: Duration, known: impl FnOnce(&Client) -> Option<Inventory>) -> Polled {
    let directory = tempfile::tempdir().expect("a place");
    let mut cloud = Cloud::default();
    cloud.group(1, "web", json!([]), json!([]));
    cloud.vm(1, HERE, &[1]);
    let management = Management::start(cloud);
    let client = Client::with_limits(&management.config(directory.path()), IMPATIENT).expect("sound settings");
    let store = Store::open(&directory.path().join("data")).expect("our own directory");
    let known = known(&client).map(Arc::new);
    let (told, events) = channel();
    let rate = Rate { interval, least: SOON, retry: interval, longest: Duration::from_secs(60) };
    let tell = move |event| drop(told.send(event));
    let poller = Poller::start(move || client.inventory(), rate, store.clone(), known, tell).expect("a thread");
    let polled = Polled { poller, events, management, store, _directory: directory };
    assert!(matches!(polled.next(), Event::Answered));
    polled
}

const SOON: Duration = Duration::from_millis(5);

impl Polled {
    #[track_caller]
    fn next(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("something is told")
    }

    /// Waits until it has been asked for everything so many times more.
    fn rounds(&self, number: usize) {
        let mut seen = 0;
        self.management.asked();
        eventually("more rounds", || {
            seen += self.management.asked().iter().filter(|asked| asked.command() == "listCapabilities").count();
            (seen > number).then_some(())
        });
    }
}

#[test]
fn changes_and_errors_are_told_once() {
    let polled = start(SOON, |_| None);
    let Event::Changed(first) = polled.next() else { panic!("no first answer") };
    assert_eq!(first.vms.len(), 1);
    assert_eq!(polled.store.load().expect("kept"), Some((*first).clone()));
    polled.rounds(3);
    polled.management.change(|cloud| {
        cloud.vm(2, HERE, &[1]);
    });
    let Event::Changed(second) = polled.next() else { panic!("no second answer") };
    assert_eq!(second.vms.len(), 2);
    polled.management.fail("", Fault::Says(503, "<html>".to_owned()));
    let Event::Failed(error) = polled.next() else { panic!("no error") };
    assert!(error.to_string().contains("answers 503"), "{error}");
    polled.rounds(3);
    polled.management.fail("listHosts", Fault::Says(200, "{}".to_owned()));
    let Event::Failed(error) = polled.next() else { panic!("no other error") };
    assert!(error.to_string().starts_with("listHosts: not an answer"), "{error}");
    assert_eq!(polled.store.load().expect("kept").as_ref(), Some(&*second));
    polled.management.mend();
    assert!(matches!(polled.next(), Event::Recovered));
    polled.rounds(2);
    let events = polled.events;
    polled.poller.stop();
    // Who tells is gone, and nothing was told in between.
    assert!(events.try_iter().next().is_none());
}

#[test]
fn what_is_known_already_is_no_news() {
    let polled = start(SOON, |client| Some(client.inventory().expect("an answer")));
    polled.rounds(2);
    assert!(polled.events.try_iter().next().is_none());
}

#[test]
fn who_is_in_a_hurry_is_heard() {
    let polled = start(Duration::from_secs(3600), |_| None);
    assert!(matches!(polled.next(), Event::Changed(_)));
    polled.management.change(|cloud| {
        cloud.vm(2, HERE, &[1]);
    });
    polled.poller.hurry();
    assert!(matches!(polled.next(), Event::Changed(_)));
    polled.poller.stop();
}
