//! Hearing of changes without end, on a thread of its own, and telling that there was one.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::Wanted;
use super::changes::{Change, Changes};
use crate::state;

/// How long to wait before listening again where nobody could be heard.
const AGAIN: Duration = Duration::from_secs(5);

/// After how long without a change it is listened anew.
const RENEWED: Duration = Duration::from_secs(60);

/// The listening. It ends when this is dropped.
pub struct Listening {
    _stop: oneshot::Sender<()>,
}

impl Listening {
    /// Calls `changed` after each change of what is `wanted`, and whenever some may have been missed. Ends by itself where the
    /// database tells nobody. Why it cannot be reached is told by whoever asks it.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(database: state::Database, wanted: Wanted, changed: impl Fn() + Send + 'static) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name("kea-changes".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = listen(&database, &wanted, changed) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { _stop: stop })
    }
}

async fn listen(database: &state::Database, wanted: &Wanted, changed: impl Fn()) {
    let mut is_told = false;
    loop {
        match Changes::listen(database).await {
            Ok(None) => return,
            Ok(Some(mut changes)) => {
                is_told = false;
                changed();
                let lost = loop {
                    match tokio::time::timeout(RENEWED, changes.next()).await {
                        // There are many hosts, and most changes are about another's VMs.
                        Ok(Ok(Change::Of(mac))) if !wanted.has(mac) => {}
                        Ok(Ok(_)) => changed(),
                        Ok(Err(_)) => break true,
                        // A connection that is cut without a word tells nothing for ever: a new one now and then.
                        Err(_) => break false,
                    }
                };
                if !lost {
                    continue;
                }
                changed();
            }
            Err(error) if !is_told => {
                is_told = true;
                tracing::warn!("changes in Kea's database are not heard of, it is asked every interval: {error}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}
