//! The pool as the database has it: one host's row, which is locked by whoever changes anything.

use std::net::Ipv6Addr;

use super::PdError;
use super::names::{self, Context, FLEX_ID};
use super::space::Block;
use crate::kea::{Database, Kind, Value};
use crate::state::Pd;

/// The keys of a pool's context: where nothing was given yet, and where the last search for gaps ended.
const NEXT: &str = "next";
const SWEPT: &str = "swept";

/// How long one waits for another's transaction, and the database for somebody who has gone.
const POSTGRES_SESSION: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'";
const MYSQL_SESSION: &str = "SET SESSION innodb_lock_wait_timeout = 60, SESSION wait_timeout = 60";

/// Prefix delegation out of one pool.
#[derive(Debug)]
pub struct Pool {
    pub(super) database: Database,
    pub(super) settings: Pd,
}

/// The pool's row while it is locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Locked {
    host_id: i64,
    /// The database's clock, in seconds since 1970.
    pub(super) now: i64,
    /// From here to the end nothing was ever given.
    pub(super) next: Option<u128>,
    /// Where the last search for gaps ended.
    pub(super) swept: u128,
    written: String,
}

impl Pool {
    /// Connects to the database that the settings name.
    ///
    /// # Errors
    /// It is away, lets nobody in, or is not Kea's.
    pub async fn open(settings: &Pd) -> Result<Self, PdError> {
        let mut database = Database::connect(&settings.database).await?;
        let session = match database.kind() {
            Kind::Postgres => POSTGRES_SESSION,
            Kind::Mysql => MYSQL_SESSION,
        };
        database.define(session).await?;
        Ok(Self { database, settings: settings.clone() })
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.database.close().await;
    }

    /// All of it.
    pub(super) fn block(&self) -> Block {
        self.settings.pool.into()
    }

    /// Kea's subnet, as a value.
    pub(super) fn subnet_id(&self) -> Value {
        Value::Integer(self.settings.subnet_id.into())
    }

    /// Locks the pool's row until the transaction ends.
    pub(super) async fn lock(&mut self) -> Result<Locked, PdError> {
        let statement = "SELECT CAST(host_id AS {int}), {now}, COALESCE(user_context, '') FROM hosts \
             WHERE dhcp_identifier = ? AND dhcp_identifier_type = ? AND dhcp6_subnet_id = ? FOR UPDATE";
        let values = vec![names::pool(self.settings.pool)[..].into(), FLEX_ID.into(), self.subnet_id()];
        let Some(row) = self.database.row(statement, values).await? else {
            return Err(PdError::NotSetUp { pool: self.settings.pool, subnet_id: self.settings.subnet_id });
        };
        let (host_id, written): (i64, String) = (row.get(0)?, row.get(2)?);
        let context = Context::parse(&written).map_err(|()| PdError::Context { host_id })?;
        let pool = self.block();
        let address = |key: &str| {
            let address = context.get(key)?.parse::<Ipv6Addr>().ok()?.to_bits();
            (pool.first <= address && address <= pool.last()).then_some(address)
        };
        let swept = address(SWEPT).unwrap_or(pool.first);
        Ok(Locked { host_id, now: row.get(1)?, next: address(NEXT), swept, written })
    }

    /// Writes the pool's row, if it has changed.
    pub(super) async fn write(&mut self, locked: &Locked) -> Result<(), PdError> {
        let mut context = Context::parse(&locked.written).map_err(|()| PdError::Context { host_id: locked.host_id })?;
        let text = |address: u128| Ipv6Addr::from_bits(address).to_string();
        context.set(NEXT, locked.next.map(text).as_deref());
        context.set(SWEPT, Some(&text(locked.swept)));
        let written = context.text();
        if written != locked.written {
            let statement = "UPDATE hosts SET user_context = ? WHERE host_id = ?";
            self.database.execute(statement, vec![written.into(), locked.host_id.into()]).await?;
        }
        Ok(())
    }

    /// Makes the pool's row, if there is none; whether there was none.
    ///
    /// # Errors
    /// The database refuses, or is away.
    pub(super) async fn make(&mut self) -> Result<bool, PdError> {
        match self.lock().await {
            Ok(_) => return Ok(false),
            Err(PdError::NotSetUp { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut context = Context::default();
        context.set(NEXT, Some(&self.settings.pool.network().to_string()));
        let statement = "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id, user_context) \
             VALUES (?, ?, ?, ?)";
        let identifier = names::pool(self.settings.pool);
        let values = vec![identifier[..].into(), FLEX_ID.into(), self.subnet_id(), context.text().into()];
        self.database.execute(statement, values).await?;
        Ok(true)
    }
}
