//! Whole frames through a file descriptor, one a call: what a packet socket and a tap have in common. Knows neither.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::eventually;

/// Longer than any frame, with what a tap puts before it.
const ROOM: usize = 70_000;

/// The descriptor, which does not block by itself.
#[derive(Debug)]
pub(super) struct Frames(File);

impl Frames {
    /// Of a descriptor that was opened with `O_NONBLOCK`.
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }

    /// Sends bytes if they are taken.
    pub(super) fn try_send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write(bytes).map(drop)
    }

    /// Sends bytes, when there is room for them.
    #[track_caller]
    pub(super) fn send(&self, bytes: &[u8]) {
        eventually("room to send", || match self.try_send(bytes) {
            Err(error) if no_room(&error) => None,
            Err(error) => panic!("cannot send: {error}"),
            Ok(()) => Some(()),
        });
    }

    /// The next frame, if one comes in this time.
    pub(super) fn receive(&self, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut buffer = vec![0_u8; ROOM];
        loop {
            if let Ok(length) = (&self.0).read(&mut buffer) {
                buffer.truncate(length);
                return Some(buffer);
            }
            let left = PollTimeout::try_from(deadline.saturating_duration_since(Instant::now())).expect("short");
            let ready = poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], left);
            if ready.is_ok_and(|ready| ready == 0) {
                return None;
            }
        }
    }
}

/// Whether a sender is only to try again: the queue is full, or the socket's share of it.
pub fn no_room(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN))
}

/// What `next` has until `last` holds of one, that one included; waits for it.
#[track_caller]
pub(super) fn until<T>(what: &str, mut next: impl FnMut() -> Option<T>, last: impl Fn(&T) -> bool) -> Vec<T> {
    let mut seen = Vec::new();
    eventually(what, || {
        while let Some(one) = next() {
            let found = last(&one);
            seen.push(one);
            if found {
                return Some(());
            }
        }
        None
    });
    seen
}
