//! Asking Kea's database what is reserved for the MACs of this host, on one connection as long as that lasts.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipv6_sg_common::mac::Mac;
use tokio::runtime::{Builder, Runtime};

use super::delegations::Delegations;
use super::{Database, KeaError, Reserved};
use crate::state::Kea;

/// How long an answer may take: as long as a database that is gone without a word is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The MACs that are asked about: whoever knows them says so here.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    macs: Arc<Mutex<BTreeSet<Mac>>>,
}

impl Wanted {
    /// These from now on; whether they are others than before.
    pub fn set(&self, macs: BTreeSet<Mac>) -> bool {
        let mut known = self.macs.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = *known != macs;
        *known = macs;
        differs
    }

    pub(super) fn has(&self, mac: Mac) -> bool {
        self.macs.lock().unwrap_or_else(PoisonError::into_inner).contains(&mac)
    }

    fn get(&self) -> Vec<Mac> {
        self.macs.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// Who asks. Blocks: it belongs on a thread of its own.
pub struct Asking {
    settings: Kea,
    wanted: Wanted,
    runtime: Runtime,
    database: Option<Database>,
}

/// A question, on this connection or on a new one, with patience for all of it.
async fn question(kept: Option<Database>, settings: &Kea, wanted: &Wanted) -> Result<(Reserved, Database), KeaError> {
    let macs = wanted.get();
    let question = async {
        let mut database = match kept {
            Some(database) => database,
            None => Database::connect(&settings.database).await?,
        };
        let reserved = database.reservations(&macs, settings.subnet_id).await?;
        Ok((reserved, database))
    };
    let (url, reason) = (settings.database.url.clone(), format!("none within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, question).await.unwrap_or(Err(KeaError::Away { url, reason }))
}

impl Asking {
    /// About these MACs.
    ///
    /// # Errors
    /// There is no runtime to be had.
    pub fn new(settings: Kea, wanted: Wanted) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { settings, wanted, runtime, database: None })
    }

    /// Asks once.
    ///
    /// # Errors
    /// The database is away, or refuses. The next question goes to a new connection.
    pub fn ask(&mut self) -> Result<Delegations, KeaError> {
        let Self { settings, wanted, runtime, database } = self;
        let kept = database.take();
        let (answered, kept) = runtime.block_on(async {
            if let Some(kept) = kept
                && let Ok(answered) = question(Some(kept), settings, wanted).await
            {
                return Ok(answered);
            }
            // One that is kept may be dead without a word.
            question(None, settings, wanted).await
        })?;
        *database = Some(kept);
        Ok(answered.into())
    }
}
