//! What a run leaves in the system, and how it is taken away again: at the end, on a panic, on Ctrl-C.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

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
    /// From here on Ctrl-C, SIGTERM and SIGHUP clean up before they end the program. Before any other thread starts:
    /// threads inherit that they do not see these signals.
    ///
    /// # Errors
    /// The kernel refuses to change the signal mask.
    pub fn on_signals() -> Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        signals.thread_block().context("cannot block signals")?;
        thread::spawn(move || {
            let Ok(signal) = signals.wait() else { return };
            // Never given back: whoever wants to make one more thing waits until the program has ended.
            let mut made = MADE.lock();
            if let Ok(made) = &mut made {
                take_away(made);
            }
            process::exit(128 + signal as i32);
        });
        Ok(Self(()))
    }
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
