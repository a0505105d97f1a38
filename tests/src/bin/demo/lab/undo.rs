//! What a run leaves in the system, and how it is taken away again: at the end, on a panic, on Ctrl-C.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::IntoRawFd as _;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe};

/// One thing to take away.
#[derive(Debug)]
pub enum Undo {
    /// A child process: asked to end, and ended if it does not.
    Process(Pid),
    /// A network namespace, with every interface in it.
    Namespace(String),
    /// A directory with what is in it; pins on a bpffs too.
    Directory(PathBuf),
}

/// In the order they were made; taken away in the opposite one.
static MADE: Mutex<Vec<Undo>> = Mutex::new(Vec::new());

/// How long a process may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// Takes everything away when it is dropped.
#[derive(Debug)]
pub struct Cleanup(());

impl Cleanup {
    /// From here on Ctrl-C, SIGTERM and SIGHUP clean up before they end the program. By a handler, not by blocking them:
    /// children would inherit that, and not end when they are told to.
    ///
    /// # Errors
    /// The kernel refuses a pipe or a handler.
    pub fn on_signals() -> Result<Self> {
        let (reader, writer) = pipe().context("cannot make a pipe")?;
        WRITER.store(writer.into_raw_fd(), Ordering::Release);
        let action = SigAction::new(SigHandler::Handler(tell), SaFlags::SA_RESTART, SigSet::empty());
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // SAFETY: the handler does nothing but what handlers may do.
            unsafe { sigaction(signal, &action) }.context("cannot handle signals")?;
        }
        thread::spawn(move || {
            let mut signal = [0];
            if File::from(reader).read_exact(&mut signal).is_err() {
                return;
            }
            // Never given back: whoever wants to make one more thing waits until the program has ended.
            let mut made = MADE.lock();
            if let Ok(made) = &mut made {
                take_away(made);
            }
            process::exit(128 + i32::from(signal[0]));
        });
        Ok(Self(()))
    }
}

/// Where the handler writes.
static WRITER: AtomicI32 = AtomicI32::new(-1);

/// The handler: passes the signal's number on to a thread, which may do more than a handler.
extern "C" fn tell(signal: libc::c_int) {
    let [.., number] = signal.to_be_bytes();
    // SAFETY: `write` may be called from a handler, the buffer is a byte long, and the pipe is never closed.
    unsafe { libc::write(WRITER.load(Ordering::Acquire), (&raw const number).cast(), 1) };
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Ok(mut made) = MADE.lock() {
            take_away(&mut made);
        }
    }
}

/// Makes something that `undo` of its result takes away. A signal either comes before, or finds it in the list.
pub fn make<T>(make: impl FnOnce() -> Result<T>, undo: impl FnOnce(&T) -> Undo) -> Result<T> {
    let mut made = MADE.lock().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    let thing = make()?;
    made.push(undo(&thing));
    Ok(thing)
}

fn take_away(made: &mut Vec<Undo>) {
    while let Some(thing) = made.pop() {
        if let Err(error) = undo(&thing) {
            eprintln!("left behind: {thing:?}: {error:#}");
        }
    }
}

fn undo(thing: &Undo) -> Result<()> {
    match thing {
        Undo::Process(pid) => end(*pid),
        Undo::Namespace(name) => {
            let out = Command::new("ip").args(["netns", "delete", name]).output()?;
            anyhow::ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr).trim());
            Ok(())
        }
        Undo::Directory(path) if !path.exists() => Ok(()),
        Undo::Directory(path) => Ok(fs::remove_dir_all(path)?),
    }
}

/// Ends a child process, whatever it does about it.
fn end(pid: Pid) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    // Somebody else may have waited for it already.
    let _ = kill(pid, Signal::SIGTERM);
    while let Ok(WaitStatus::StillAlive) = waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
        if Instant::now() > deadline {
            kill(pid, Signal::SIGKILL)?;
            waitpid(pid, None)?;
            break;
        }
        thread::sleep(super::LOOK_AGAIN);
    }
    Ok(())
}
