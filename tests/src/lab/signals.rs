//! SIGINT, SIGTERM and SIGHUP: everything is taken away before they end the program. By a handler, not by blocking them:
//! children would inherit that, and not end when they are told to.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::IntoRawFd as _;
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::pipe2;

use super::undo;

/// Where the handler writes, once there is a reader.
static WRITER: AtomicI32 = AtomicI32::new(-1);
/// Whether a signal has come.
static ENDING: AtomicBool = AtomicBool::new(false);

/// From here on signals clean up. Again and again is as good as once.
///
/// # Errors
/// The kernel refuses a pipe or a handler.
pub(super) fn clean_up() -> Result<()> {
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut done = undo::lock(&DONE);
    if *done {
        return Ok(());
    }
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).context("cannot make a pipe")?;
    WRITER.store(writer.into_raw_fd(), Ordering::Release);
    thread::spawn(move || {
        let mut signal = [0];
        if File::from(reader).read_exact(&mut signal).is_ok() {
            undo::everything();
            process::exit(128 + i32::from(signal[0]));
        }
    });
    let action = SigAction::new(SigHandler::Handler(tell), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler does nothing but what handlers may do.
        let before = unsafe { sigaction(signal, &action) }.context("cannot handle signals")?;
        if signal == Signal::SIGHUP && matches!(before.handler(), SigHandler::SigIgn) {
            // nohup wants the run to outlive its terminal.
            // SAFETY: there is no handler.
            unsafe { sigaction(signal, &before) }.context("cannot ignore a signal")?;
        }
    }
    *done = true;
    Ok(())
}

/// Never returns when a signal has come. What fails then fails because things are being taken away: no news to anybody.
pub fn wait_if_ending() {
    while ENDING.load(Ordering::Acquire) {
        thread::park();
    }
}

/// The handler: passes the signal's number on to a thread, which may do more than a handler.
extern "C" fn tell(signal: libc::c_int) {
    ENDING.store(true, Ordering::Release);
    let [.., number] = signal.to_be_bytes();
    // SAFETY: `write` may be called from a handler, the buffer is a byte long, and the pipe is never closed.
    unsafe { libc::write(WRITER.load(Ordering::Acquire), (&raw const number).cast(), 1) };
}
