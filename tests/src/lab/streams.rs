//! Flows that never pause, and of which every frame is counted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ipv6_sg_common::abi::Direction;

use super::{Guest, Wire, eventually};
use crate::frame::Ipv6;

/// Between a frame of a leg and its next.
const PACE: Duration = Duration::from_micros(300);
/// How long none of its frames comes after the end of a leg.
const SILENCE: Duration = Duration::from_secs(1);
/// What the data of a frame begins with; a number of its leg's follows.
type Mark = [u8; 8];
/// How long the data is.
const DATA: usize = size_of::<Mark>() + size_of::<u64>();

/// One direction of a flow.
pub struct Leg {
    out: Wire,
    into: Wire,
    mark: Mark,
    template: Vec<u8>,
    answers: Option<usize>,
}

impl Leg {
    /// From one guest to another, in packets around some data. Their checksums are wrong but in the first: nobody looks.
    #[track_caller]
    pub fn new(from: &Guest, to: &Guest, packet: impl FnOnce(&[u8]) -> Ipv6) -> Self {
        // That no other leg has.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let [a, b, c, d] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mark = [b'l', b'e', b'g', b' ', a, b, c, d];
        let frame = packet(&[0; DATA]).ethernet(Direction::FromVm).from(from.mac).to(to.mac).build();
        Self { out: from.wire(), into: to.wire(), mark, template: frame.bytes, answers: None }
    }

    /// Which begins when the first frame of another leg has arrived.
    #[must_use]
    pub fn answers(self, leg: usize) -> Self {
        Self { answers: Some(leg), ..self }
    }
}

/// The frame of a leg with this number.
fn frame(template: &[u8], mark: Mark, number: u64) -> Vec<u8> {
    let (head, _) = template.split_at(template.len() - DATA);
    [head, &mark, &number.to_be_bytes()].concat()
}

/// The number in a frame, if it is of this leg.
fn number(mark: Mark, frame: &[u8]) -> Option<u64> {
    let (_, data) = frame.split_at_checked(frame.len().checked_sub(DATA)?)?;
    let (of, number) = data.split_at(mark.len());
    (of == mark).then(|| u64::from_be_bytes(number.try_into().expect("8 bytes")))
}

/// Some legs, each of which sends a frame in turn.
pub struct Streams {
    stop: Arc<AtomicBool>,
    received: Vec<Arc<AtomicU64>>,
    sender: JoinHandle<Vec<u64>>,
    receivers: Vec<JoinHandle<BTreeSet<u64>>>,
}

/// What became of a leg.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Frames sent.
    pub sent: u64,
    /// Frames that did not arrive, by their numbers, which count from 0.
    pub lost: Vec<u64>,
}

impl Streams {
    /// Starts them.
    pub fn start(legs: Vec<Leg>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let received: Vec<_> = legs.iter().map(|_| Arc::new(AtomicU64::new(0))).collect();
        let mut receivers = Vec::new();
        let mut senders = Vec::new();
        for (leg, Leg { out, into, mark, template, answers }) in legs.into_iter().enumerate() {
            let (stopped, count) = (Arc::clone(&stop), Arc::clone(&received[leg]));
            receivers.push(thread::spawn(move || {
                let mut numbers = BTreeSet::new();
                let mut silent = None;
                loop {
                    let frame = into.receive(SILENCE);
                    if frame.and_then(|frame| number(mark, &frame)).is_some_and(|number| numbers.insert(number)) {
                        count.fetch_add(1, Ordering::Relaxed);
                        silent = None;
                    }
                    // What was sent before the end is here, or will never be; others may go on.
                    if stopped.load(Ordering::Relaxed) && silent.get_or_insert_with(Instant::now).elapsed() >= SILENCE {
                        return numbers;
                    }
                }
            }));
            senders.push((out, mark, template, answers));
        }
        let (stopped, counts) = (Arc::clone(&stop), received.clone());
        let sender = thread::spawn(move || {
            let mut sent = vec![0; senders.len()];
            while !stopped.load(Ordering::Relaxed) {
                for (leg, (out, mark, template, answers)) in senders.iter().enumerate() {
                    if answers.is_none_or(|asks| counts[asks].load(Ordering::Relaxed) > 0) {
                        out.send_bytes(&frame(template, *mark, sent[leg]));
                        sent[leg] += 1;
                    }
                }
                thread::sleep(PACE);
            }
            sent
        });
        Self { stop, received, sender, receivers }
    }

    /// How many frames of a leg have arrived.
    pub fn arrived(&self, leg: usize) -> u64 {
        self.received[leg].load(Ordering::Relaxed)
    }

    /// Waits until so many more frames have arrived of each of these legs.
    #[track_caller]
    pub fn flow(&self, legs: &[usize], more: u64) {
        let before: Vec<_> = legs.iter().map(|leg| self.arrived(*leg)).collect();
        let all = || legs.iter().zip(&before).all(|(leg, before)| self.arrived(*leg) >= before + more);
        eventually("frames of each leg", || all().then_some(()));
    }

    /// Ends them all.
    pub fn stop(self) -> Vec<Delivery> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().expect("the sender");
        let arrived = self.receivers.into_iter().map(|receiver| receiver.join().expect("a receiver"));
        let delivery = |(sent, arrived): (u64, BTreeSet<u64>)| Delivery {
            sent,
            lost: (0..sent).filter(|number| !arrived.contains(number)).collect(),
        };
        sent.into_iter().zip(arrived).map(delivery).collect()
    }
}

impl Delivery {
    /// How many frames arrived.
    pub fn arrived(&self) -> u64 {
        self.sent - self.missing()
    }

    /// How many frames did not.
    pub fn missing(&self) -> u64 {
        u64::try_from(self.lost.len()).expect("a count")
    }

    /// Panics if a frame was lost.
    #[track_caller]
    pub fn assert_whole(&self) {
        assert!(self.sent > 100, "too few frames to tell: {self:?}");
        assert_eq!(self.lost, [0; 0], "of {} frames", self.sent);
    }

    /// Panics unless the leg was cut so many times: in between not a frame was lost, and while it was cut none arrived.
    #[track_caller]
    pub fn assert_cut(&self, times: usize) {
        let begins = |(index, number): (usize, &u64)| index == 0 || self.lost[index - 1] + 1 != *number;
        let begun = self.lost.iter().enumerate().filter(|lost| begins(*lost)).count();
        assert_eq!(begun, times, "cuts of a leg with {} frames, of which were lost {:?}", self.sent, self.lost);
    }
}
