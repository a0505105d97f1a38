//! State files coming, going and changing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Writers replace several files at a time; a moment's patience reads them together.
const SETTLE: Duration = Duration::from_millis(50);

/// Sends whenever the directory's files have changed and then been quiet for a moment.
pub(super) fn directory(path: &Path) -> Result<mpsc::Receiver<()>> {
    let (raw, mut events) = mpsc::channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if !event.is_ok_and(|event| is_reading(&event)) {
            // A full channel already says what this event would.
            let _ = raw.try_send(());
        }
    });
    let mut watcher = watcher.context("cannot watch files")?;
    watcher
        .watch(path, RecursiveMode::NonRecursive)
        .with_context(|| format!("cannot watch state_dir {}", path.display()))?;
    let (changed, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        // Watching ends when the watcher is dropped, which is when nobody listens any more.
        let _watcher = watcher;
        while events.recv().await.is_some() {
            while tokio::time::timeout(SETTLE, events.recv()).await.is_ok_and(|event| event.is_some()) {}
            if changed.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Our own reading of the files is an event too.
fn is_reading(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    }
}
