//! What the lab leaves in the system, and how it is taken away. Knows nothing of what things are for.
//!
//! Whoever makes a thing keeps a [`Made`], and what that stands for is taken away with it: at the end of a test and when
//! one panics. On a signal nothing is dropped, and [`everything`] goes at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use anyhow::{Result, ensure};

use super::netns::ip_netns;
use super::{PATIENCE, look, signals};

/// One thing to take away.
#[derive(Clone, Debug)]
pub(super) enum Thing {
    /// A child process, which is killed.
    Process(Arc<Mutex<Child>>),
    /// A network namespace, with every interface in it.
    Namespace(String),
    /// A control group with all below it, whose processes are killed.
    Group(PathBuf),
    /// A directory with what is in it, if it is there; pins on a bpffs too.
    Directory(PathBuf),
}

/// All that is there, in the order it was made.
static MADE: Mutex<BTreeMap<u64, Thing>> = Mutex::new(BTreeMap::new());

/// A thing that is taken away when this is dropped.
#[derive(Debug)]
pub(super) struct Made(u64);

/// Makes something and says what is to be taken away. A signal comes before that or finds it in the list; where it has come
/// already, this never returns.
///
/// # Errors
/// Those of `make`.
pub(super) fn make<T>(make: impl FnOnce() -> Result<T>, thing: impl FnOnce(&T) -> Thing) -> Result<(T, Made)> {
    signals::clean_up()?;
    let mut all = lock(&MADE);
    let one = make()?;
    let number = all.last_key_value().map_or(0, |(number, _)| number + 1);
    all.insert(number, thing(&one));
    Ok((one, Made(number)))
}

/// Takes everything away, the last first. Nothing can be made or dropped any more: both wait for the program's end.
pub(super) fn everything() {
    let mut all = lock(&MADE);
    while let Some((_, thing)) = all.pop_last() {
        take_away(&thing);
    }
    std::mem::forget(all);
}

impl Drop for Made {
    fn drop(&mut self) {
        let mut all = lock(&MADE);
        // Under the lock: a signal that came now would find it neither in the list nor gone.
        if let Some(thing) = all.remove(&self.0) {
            take_away(&thing);
        }
    }
}

/// Says what it cannot take away, and does not panic: that would end all tests of the process.
fn take_away(thing: &Thing) {
    if let Err(error) = try_take_away(thing) {
        eprintln!("left behind: {thing:?}: {error:#}");
    }
}

fn try_take_away(thing: &Thing) -> Result<()> {
    match thing {
        Thing::Process(child) => {
            let mut child = lock(child);
            child.kill()?;
            child.wait()?;
        }
        Thing::Namespace(name) => ip_netns("del", name)?,
        Thing::Group(path) => {
            fs::write(path.join("cgroup.kill"), "1")?;
            // The last of them has not ended yet.
            let removed = look(PATIENCE, || remove_groups(path).ok());
            ensure!(removed.is_some(), "it does not become empty");
        }
        Thing::Directory(path) if !path.exists() => {}
        Thing::Directory(path) => fs::remove_dir_all(path)?,
    }
    Ok(())
}

/// Removes groups without processes; what looks like files in them goes by itself.
fn remove_groups(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_groups(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The list is sound between any two steps, so also after a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
