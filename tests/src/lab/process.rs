//! Programs: those that run beside the test, and those that run to their end.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::undo::{self, Made, Thing};
use super::{PATIENCE, eventually, look};

/// A child that is killed when dropped.
struct Running {
    child: Arc<Mutex<Child>>,
    _made: Made,
}

impl Running {
    /// Starts it.
    #[track_caller]
    fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = || Ok(Arc::new(Mutex::new(command.spawn().context("it does not start")?)));
        let made = undo::make(start, |child| Thing::Process(Arc::clone(child)));
        let (child, made) = made.unwrap_or_else(|error| panic!("{command:?}: {error:#}"));
        Self { child, _made: made }
    }

    /// Its standard output and its standard error, for the one who asks first.
    fn pipes(&self) -> (impl Read + Send + use<>, impl Read + Send + use<>) {
        let mut child = undo::lock(&self.child);
        (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"))
    }

    /// What it ended with, if it has.
    fn ended(&self) -> Option<ExitStatus> {
        undo::lock(&self.child).try_wait().expect("a child of ours")
    }

    fn id(&self) -> Pid {
        Pid::from_raw(undo::lock(&self.child).id().cast_signed())
    }

    fn signal(&self, signal: Signal) {
        kill(self.id(), signal).expect("it runs");
    }
}

/// A running program and every line it has printed, on stdout and on stderr. Killed when dropped.
pub struct Process {
    running: Running,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts it.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let running = Running::start(command.stdin(Stdio::null()));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stdout, stderr) = running.pipes();
        collect(stdout, Arc::clone(&lines));
        collect(stderr, Arc::clone(&lines));
        Self { running, lines }
    }

    /// What it has printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panics while printing").clone()
    }

    /// The lines so far with `part` in them.
    pub fn lines_with(&self, part: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.contains(part)).collect()
    }

    /// Panics if it has printed a line with `part` in it.
    #[track_caller]
    pub fn assert_never(&self, part: &str) {
        let lines = self.lines_with(part);
        assert!(lines.is_empty(), "{lines:#?}");
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
        let mut line = || {
            let found = self.lines_with(part).into_iter().nth(seen);
            assert!(found.is_some() || !ended, "ended without {part:?}: {:#?}", self.lines());
            // Its last words are read after it is found to have ended.
            ended = self.ended().is_some() && Arc::strong_count(&self.lines) == 1;
            found
        };
        look(PATIENCE, &mut line).unwrap_or_else(|| panic!("no {part:?} within {PATIENCE:?}: {:#?}", self.lines()))
    }

    /// Its number.
    pub fn id(&self) -> Pid {
        self.running.id()
    }

    /// What it ended with, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.running.ended()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Waits until it has ended and everything it said is read.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the end of a process", || self.ended());
        eventually("its last words", || (Arc::strong_count(&self.lines) == 1).then_some(()));
        status
    }
}

/// What a program did that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; none when it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs a program and returns what it prints; panics with everything it said when it fails.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    feed(command, "")
}

/// Runs a program that reads this; as [`run`] else.
#[track_caller]
pub fn feed(command: &mut Command, input: &str) -> String {
    let out = finish(command, input, Duration::MAX);
    let [stdout, stderr] = [&out.stdout, &out.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(out.status.success(), "{command:?}: {}\n{stdout}{stderr}{input}", out.status);
    stdout.into_owned()
}

/// Runs a command to its end, whatever that is. One that does not end, because it was not refused, is killed.
#[track_caller]
pub fn outcome(command: &mut Command) -> Outcome {
    let out = finish(command, "", PATIENCE);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Outcome { code: out.status.code(), out: text(out.stdout), err: text(out.stderr) }
}

/// Runs a program to its end, or kills it when it takes longer than `patience`.
#[track_caller]
fn finish(command: &mut Command, input: &str, patience: Duration) -> Output {
    let running = Running::start(command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() }));
    let stdin = undo::lock(&running.child).stdin.take();
    let (stdout, stderr) = running.pipes();
    let (stdout, stderr) = (thread::spawn(|| read(stdout)), thread::spawn(|| read(stderr)));
    if let Some(mut stdin) = stdin {
        // Where it does not read all of it, what it says about that is of more use than this error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = look(patience, || running.ended()).unwrap_or_else(|| {
        running.signal(Signal::SIGKILL);
        eventually("the end of what was killed", || running.ended())
    });
    let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().expect("a reader").expect("readable"));
    Output { status, stdout, stderr }
}

fn read(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.read_to_end(&mut all)?;
    Ok(all)
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
