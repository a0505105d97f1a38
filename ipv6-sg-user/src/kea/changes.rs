//! Hearing of a change as soon as it is made: PostgreSQL tells those who listen. MariaDB tells nobody, and is asked again.

use ipv6_sg_common::mac::Mac;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::database::options;
use super::{KeaError, Kind};
use crate::state;

/// What a change of the reservations is told under, by triggers that `ipv6-sg pd init` makes: the MAC in hexadecimal.
pub const CHANNEL: &str = "ipv6_sg_reservations";

/// Whose reservations have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// This MAC's.
    Of(Mac),
    /// Anybody's: those of all may have.
    Any,
}

impl Change {
    fn told(text: &str) -> Self {
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(bits) if digits => {
                let [_, _, octets @ ..] = bits.to_be_bytes();
                Self::Of(Mac { octets })
            }
            _ => Self::Any,
        }
    }
}

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
    pub async fn next(&mut self) -> Result<Change, KeaError> {
        match self.listener.try_recv().await {
            Ok(Some(told)) => Ok(Change::told(told.payload())),
            Ok(None) => Err(KeaError::Away { url: self.url.clone(), reason: "the connection is lost".to_owned() }),
            Err(error) => Err(KeaError::stating(&self.url, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told() {
        assert_eq!(Change::told("067a8800008b"), Change::Of("06:7a:88:00:00:8b".parse().unwrap()));
        // From an older `pd init`, or by hand.
        for text in ["", "067a8800008", "067a8800008b00", "+67a8800008b", "067a8800008x", "067a8800008é"] {
            assert_eq!(Change::told(text), Change::Any, "{text}");
        }
    }
}
