//! State files coming, going and changing; their directory too, which may be removed, moved and made anew.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Writers replace several files at a time; a moment's patience reads them together.
const SETTLE: Duration = Duration::from_millis(50);
/// No more of it: a rule that goes is not to wait for a writer who never rests.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sends whenever the directory's files have changed and then been quiet for a moment, or changing for long.
pub(super) fn directory(path: &Path) -> Result<mpsc::Receiver<()>> {
    let cannot_watch = || format!("cannot watch state_dir {}", path.display());
    let (raw, mut events) = mpsc::channel(1);
    let mut watch = Watch::new(path, raw).with_context(cannot_watch)?;
    watch.arm().with_context(cannot_watch)?;
    let (changed, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        // Watching ends when the watcher is dropped, which is when nobody listens any more.
        while events.recv().await.is_some() {
            settle(&mut events).await;
            // Before the files are read, or a change in between would never be seen.
            if let Err(error) = watch.arm() {
                let path = watch.path.display();
                tracing::error!("cannot watch state_dir {path} any more, SIGHUP reads it again: {error}");
            }
            if changed.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Waits until there is nothing for a moment, or patience is at its end.
async fn settle(events: &mut mpsc::Receiver<()>) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE
        && tokio::time::timeout(SETTLE, events.recv()).await.is_ok_and(|event| event.is_some())
    {}
}

/// A watch follows what it was set on, not the name. So what is above the directory is watched as well, and all of it
/// is set anew after every event.
struct Watch {
    path: PathBuf,
    watcher: RecommendedWatcher,
    on: Vec<PathBuf>,
}

impl Watch {
    fn new(path: &Path, events: mpsc::Sender<()>) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let watched = path.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| concerns(&event, &watched)) {
                // A full channel already says what this event would.
                let _ = events.try_send(());
            }
        })?;
        Ok(Self { path, watcher, on: Vec::new() })
    }

    fn arm(&mut self) -> notify::Result<()> {
        loop {
            for old in self.on.drain(..) {
                // What is gone is not watched any more already.
                let _ = self.watcher.unwatch(&old);
            }
            let present = present(&self.path);
            for directory in &present {
                match self.watcher.watch(directory, RecursiveMode::NonRecursive) {
                    Ok(()) => self.on.push(directory.clone()),
                    Err(error) if is_not_found(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            // What came or went while nobody watched.
            if self.on == present && present == self::present(&self.path) {
                return Ok(());
            }
        }
    }
}

/// The nearest two of the directory and those above it that exist: where it will be seen to come, go, or be moved.
fn present(path: &Path) -> Vec<PathBuf> {
    path.ancestors().filter(|directory| directory.exists()).take(2).map(Path::to_owned).collect()
}

fn is_not_found(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Whether an event is about the directory, a state file in it, or a directory above it: editors leave other files there. Our
/// own reading is an event too.
fn concerns(event: &Event, directory: &Path) -> bool {
    let reading = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    let state = |path: &Path| path.parent() == Some(directory) && path.extension().is_some_and(|kind| kind == "toml");
    let about = |path: &PathBuf| directory.starts_with(path) || state(path);
    !reading && (event.need_rescan() || event.paths.iter().any(about))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_writer_who_never_rests_keeps_nothing_back() {
        let (raw, mut events) = mpsc::channel(1);
        tokio::spawn(async move { while raw.send(()).await.is_ok() {} });
        let patience = Duration::from_secs(10);
        assert!(tokio::time::timeout(patience, settle(&mut events)).await.is_ok(), "still waiting after {patience:?}");
    }
}
