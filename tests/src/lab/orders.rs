//! What a guest with a kernel of its own is told, over a serial line; `src/bin/guest` is the other end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::eventually;
use crate::frame::Frame;

/// What an order may take, in a machine whose processor is emulated.
const PATIENCE: Duration = Duration::from_secs(120);

/// The line to a guest.
pub struct Orders {
    orders: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Orders {
    /// Waits until somebody listens at this socket; `meanwhile` may panic.
    #[track_caller]
    pub(super) fn connect(socket: &Path, meanwhile: impl Fn()) -> Self {
        let orders = eventually("a machine's serial line", || {
            meanwhile();
            UnixStream::connect(socket).ok()
        });
        orders.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let answers = BufReader::new(orders.try_clone().expect("a socket"));
        Self { orders, answers }
    }

    /// Waits until the guest takes orders.
    #[track_caller]
    pub(super) fn wait_ready(&mut self) {
        while self.answer() != "ready" {}
    }

    #[track_caller]
    fn answer(&mut self) -> String {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        assert!(read.as_ref().is_ok_and(|length| *length > 0), "the guest does not answer: {read:?}");
        line.trim_end().to_owned()
    }

    /// Gives an order, to be [answered](Self::answered) later.
    #[track_caller]
    pub fn begin(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("a serial line");
    }

    /// What the guest says to the order that it was given.
    ///
    /// # Errors
    /// Its answer, when it could not do it.
    #[track_caller]
    pub fn answered(&mut self) -> Result<String, String> {
        let mut said = String::new();
        loop {
            let line = self.answer();
            if let Some(line) = line.strip_prefix(' ') {
                said.push_str(line);
                said.push('\n');
            } else if line == "ok" {
                return Ok(said);
            } else if let Some(error) = line.strip_prefix("error: ") {
                return Err(error.to_owned());
            }
        }
    }

    /// Gives an order that must succeed.
    #[track_caller]
    pub fn order(&mut self, order: &str) -> String {
        self.begin(order);
        self.answered().unwrap_or_else(|error| panic!("{order}: {error}"))
    }

    /// Runs a command line in its shell.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> String {
        self.order(&format!("run {line}"))
    }

    /// Sends a frame from its network card.
    #[track_caller]
    pub fn send(&mut self, frame: &Frame) {
        self.order(&format!("frame eth0 {frame:?}"));
    }
}
