//! Network namespaces, and what runs in them. Unlike the lab of the tests it reports errors, and cleans up on Ctrl-C.

mod undo;
pub mod wire;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};
use nix::unistd::Pid;

pub use undo::Cleanup;
use undo::{Undo, make};

/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A network namespace that nobody else uses.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new namespace; `role` is part of its name.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn new(role: &str) -> Result<Self> {
        let name = format!("ipv6-sg-{}-{role}", id());
        let new = || {
            run(Command::new("ip").args(["netns", "add", &name]))?;
            Ok(Self { name: name.clone() })
        };
        let namespace = make(new, |namespace| Undo::Namespace(namespace.name.clone()))?;
        namespace.run("ip link set lo up")?;
        Ok(namespace)
    }

    /// Its name, for `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// A program in this namespace. Not by `ip netns exec`: that mounts another /sys, without the bpffs in it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg(program);
        command
    }

    /// Runs a command line of plain words, and returns what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        run(self.command(program).args(words))
    }

    /// Runs `work` on a thread in this namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered, or the work fails.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = self.path();
        thread::scope(|scope| {
            let inside = scope.spawn(move || {
                let namespace = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
                setns(namespace, CloneFlags::CLONE_NEWNET).context("cannot enter a network namespace")?;
                work()
            });
            inside.join().unwrap_or_else(|_| bail!("a thread panicked"))
        })
    }
}

/// Starts a program that runs until the end of the run.
///
/// # Errors
/// It cannot be started.
pub fn start(command: &mut Command) -> Result<Child> {
    let start = || command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start `{}`", line(command)));
    make(start, |child| Undo::Process(Pid::from_raw(child.id().cast_signed())))
}

/// A directory of this run, and under the bpffs one of the same name for pins.
///
/// # Errors
/// It cannot be made.
pub fn directories() -> Result<(PathBuf, PathBuf)> {
    let name = format!("ipv6-sg-{}", id());
    let pins = Path::new("/sys/fs/bpf").join(&name);
    make(|| Ok(()), |()| Undo::Directory(pins.clone()))?;
    let directory = std::env::temp_dir().join(&name);
    let new = || std::fs::create_dir(&directory).with_context(|| format!("cannot create {}", directory.display()));
    make(new, |()| Undo::Directory(directory.clone()))?;
    Ok((directory, pins))
}

/// Runs a program to its end, and returns what it prints.
///
/// # Errors
/// It fails; its own words are in the error.
pub fn run(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", line(command)))?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "`{}` failed, {}: {}", line(command), out.status, said.trim());
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Looks until `condition` has something to give.
///
/// # Errors
/// It never has, or looking fails.
pub fn wait_for<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = condition()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// A command as one would type it.
fn line(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
