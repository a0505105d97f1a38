//! A program that runs beside the test.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::eventually;

/// A running program and every line it has printed, on stdout and on stderr. Killed when dropped.
pub struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().expect("piped"), Arc::clone(&lines));
        collect(child.stderr.take().expect("piped"), Arc::clone(&lines));
        Self { child, lines }
    }

    /// What it has printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panics while printing").clone()
    }

    /// The lines so far with `part` in them.
    pub fn lines_with(&self, part: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(part)).collect()
    }

    /// Waits for a line with `part` in it.
    #[track_caller]
    pub fn wait_for(&mut self, part: &str) -> String {
        self.wait_for_another(part, 0)
    }

    /// Waits for a line with `part` in it, after `seen` of them.
    #[track_caller]
    pub fn wait_for_another(&mut self, part: &str, seen: usize) -> String {
        let mut ended = false;
        let mut look = || {
            let found = self.lines_with(part).into_iter().nth(seen);
            assert!(found.is_some() || !ended, "ended without {part:?}: {:#?}", self.lines());
            // Its last words are read after it is found to have ended.
            ended = self.child.try_wait().is_ok_and(|status| status.is_some()) && Arc::strong_count(&self.lines) == 1;
            found
        };
        eventually(part, &mut look)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid is small");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// Waits until it has ended and everything it said is read.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the end of a process", || self.child.try_wait().expect("a child of ours"));
        eventually("its last words", || (Arc::strong_count(&self.lines) == 1).then_some(()));
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Each reader holds `lines` until the other end is closed.
fn collect(from: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if let Ok(mut lines) = lines.lock() {
                lines.push(line);
            }
        }
    });
}
