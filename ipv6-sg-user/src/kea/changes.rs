//! Hearing of a change as soon as it is made: PostgreSQL tells those who listen. MariaDB tells nobody, and is asked again.

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::database::options;
use super::{KeaError, Kind};
use crate::state;

/// What a change of the reservations is told under, by triggers that `ipv6-sg pd init` makes.
pub const CHANNEL: &str = "ipv6_sg_reservations";

/// A second connection, on which changes are heard of.
pub struct Changes {
    listener: PgListener,
    url: String,
}

impl Changes {
    /// Begins to listen; nothing where the database tells nobody.
    ///
    /// # Errors
    /// The database is away, or lets nobody in.
    pub async fn listen(settings: &state::Database) -> Result<Option<Self>, KeaError> {
        let url = settings.url.clone();
        if Kind::of(&url) != Kind::Postgres {
            return Ok(None);
        }
        let failed = |error| KeaError::connecting(&url, error);
        let options = PgConnectOptions::from_url(&options(settings)?.database_url).map_err(failed)?;
        let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?;
        let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
        // What was told meanwhile is lost with a connection: whoever waits has to look anew, and hears of it as an error.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await.map_err(failed)?;
        Ok(Some(Self { listener, url }))
    }

    /// Waits for the next change. May be given up at any moment.
    ///
    /// # Errors
    /// The connection is lost: listen again, and look at everything.
    pub async fn next(&mut self) -> Result<(), KeaError> {
        match self.listener.try_recv().await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(KeaError::Away { url: self.url.clone(), reason: "the connection is lost".to_owned() }),
            Err(error) => Err(KeaError::stating(&self.url, error)),
        }
    }
}
