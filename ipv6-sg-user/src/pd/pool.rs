//! The pool as the database has it: one host's row, which is locked by whoever changes anything.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

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
    /// The number of the pool's row, where it has been found.
    row: Option<i64>,
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
        Ok(Self { database, settings: settings.clone(), row: None })
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

    /// Looks which row the pool's is, if there is one. Before a transaction: what is read first in one is all that MariaDB shows in it,
    /// and a lock by anything but the number would be one on the place beside the row too, where others are waiting.
    pub(super) async fn find(&mut self) -> Result<Option<i64>, PdError> {
        let statement = "SELECT CAST(host_id AS {int}) FROM hosts \
             WHERE dhcp_identifier = ? AND dhcp_identifier_type = ? AND dhcp6_subnet_id = ?";
        let values = vec![names::pool(self.settings.pool)[..].into(), FLEX_ID.into(), self.subnet_id()];
        self.row = self.database.row(statement, values).await?.map(|row| row.get(0)).transpose()?;
        Ok(self.row)
    }

    /// What is said where there is none.
    pub(super) fn not_set_up(&self) -> PdError {
        PdError::NotSetUp { pool: self.settings.pool, subnet_id: self.settings.subnet_id }
    }

    /// Locks the pool's row until the transaction ends.
    pub(super) async fn lock(&mut self) -> Result<Locked, PdError> {
        let host_id = self.row.ok_or_else(|| self.not_set_up())?;
        let statement =
            "SELECT {now}, COALESCE(user_context, ''), dhcp_identifier FROM hosts WHERE host_id = ? FOR UPDATE";
        let row = self.database.row(statement, vec![host_id.into()]).await?.ok_or_else(|| self.not_set_up())?;
        let (now, written): (i64, String) = (row.get(0)?, row.get(1)?);
        if row.get::<Vec<u8>>(2)? != names::pool(self.settings.pool) {
            return Err(self.not_set_up());
        }
        let context = Context::parse(&written).map_err(|()| PdError::Context { host_id })?;
        let pool = self.block();
        let address = |key: &str| {
            let address = context.get(key)?.parse::<Ipv6Addr>().ok()?.to_bits();
            (pool.first <= address && address <= pool.last()).then_some(address)
        };
        let swept = address(SWEPT).unwrap_or(pool.first);
        Ok(Locked { host_id, now, next: address(NEXT), swept, written })
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

    /// Makes the pool's row, if there is none, out of those of narrower pools, if there are any; whether there was none.
    ///
    /// # Errors
    /// The database refuses, or is away.
    pub(super) async fn make(&mut self) -> Result<bool, PdError> {
        if self.row.is_some() {
            return Ok(false);
        }
        let mut context = Context::default();
        context.set(NEXT, Some(&self.settings.pool.network().to_string()));
        for narrower in self.narrower_pools().await? {
            self.take_in(narrower).await?;
        }
        let statement = "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id, user_context) \
             VALUES (?, ?, ?, ?)";
        let identifier = names::pool(self.settings.pool);
        let values = vec![identifier[..].into(), FLEX_ID.into(), self.subnet_id(), context.text().into()];
        self.database.execute(statement, values).await?;
        Ok(true)
    }

    /// The pools of our subnet that are a part of ours: it was widened.
    ///
    /// # Errors
    /// One overlaps ours in another way.
    async fn narrower_pools(&mut self) -> Result<Vec<Ipv6Net>, PdError> {
        let statement = "SELECT dhcp_identifier, CAST(COALESCE(dhcp6_subnet_id, -1) AS {int}) FROM hosts \
             WHERE dhcp_identifier >= ? AND dhcp_identifier < ? AND dhcp_identifier_type + 0 = ?";
        let begins = names::pools();
        // What begins so comes before this, whose last character is the one after.
        let end = begins.replacen("pool ", "pool!", 1);
        let values = vec![begins.as_bytes().into(), end.as_bytes().into(), FLEX_ID.into()];
        let pool = self.settings.pool;
        let mut narrower = Vec::new();
        for row in self.database.rows(statement, values).await? {
            let text = String::from_utf8(row.get(0)?).unwrap_or_default();
            let other: Option<Ipv6Net> = text.strip_prefix(begins).and_then(|text| text.parse().ok());
            let Some(other) = other.filter(|other| Block::from(*other).overlaps(pool.into())) else { continue };
            let subnet_id: i64 = row.get(1)?;
            if subnet_id != i64::from(self.settings.subnet_id) || !pool.contains(&other) {
                return Err(PdError::OtherPool { pool, other: format!("{other} of subnet {subnet_id}") });
            }
            narrower.push(other);
        }
        Ok(narrower)
    }

    /// Makes what is free in a narrower pool free in ours, and forgets that pool.
    async fn take_in(&mut self, narrower: Ipv6Net) -> Result<(), PdError> {
        let (old, new) = (names::free_of(narrower), names::free_of(self.settings.pool));
        let renamed = match self.database.kind() {
            Kind::Postgres => "? || substring(dhcp_identifier FROM CAST(? AS INT))",
            Kind::Mysql => "CONCAT(?, SUBSTRING(dhcp_identifier, ?))",
        };
        let statement = format!(
            "UPDATE hosts SET dhcp_identifier = {renamed} \
             WHERE dhcp_identifier >= ? AND dhcp_identifier < ? AND dhcp_identifier_type + 0 = ?"
        );
        let rest = i64::try_from(old.len()).unwrap_or(i64::MAX).saturating_add(1);
        // The last of it is a space.
        let end = format!("{}!", old.trim_end());
        let values: Vec<Value> =
            vec![new.as_bytes().into(), rest.into(), old.as_bytes().into(), end.as_bytes().into(), FLEX_ID.into()];
        self.database.execute(&statement, values).await?;
        let statement =
            "DELETE FROM hosts WHERE dhcp_identifier = ? AND dhcp_identifier_type = ? AND dhcp6_subnet_id = ?";
        let values = vec![names::pool(narrower)[..].into(), FLEX_ID.into(), self.subnet_id()];
        self.database.execute(statement, values).await?;
        Ok(())
    }
}
