//! Free prefixes: those that were released and rest, and those that were left over beside others. Each is a reservation of a
//! host that nobody is.

use ipnet::Ipv6Net;

use super::error::Resting;
use super::names::{self, FLEX_ID, NEVER_USED};
use super::space::Block;
use super::{PdError, Pool};
use crate::kea::Value;
use crate::kea::reservations::{PREFIX, prefix};

/// A free prefix, by its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Free {
    pub(super) host_id: i64,
    pub(super) reservation_id: i64,
    pub(super) block: Block,
    /// Since when, in seconds since 1970.
    pub(super) since: i64,
}

impl Pool {
    /// The prefix of this length that is free for the longest time, of those that are free since `least` at the earliest and
    /// `most` at the latest.
    pub(super) async fn longest_free(&mut self, length: u8, least: i64, most: i64) -> Result<Option<Free>, PdError> {
        let pool = self.settings.pool;
        let address = self.database.kind().shown("r.address", self.database.schema().reservations);
        // The sum keeps the planner from an index of types, which are all the same.
        let statement = format!(
            "SELECT CAST(h.host_id AS {{int}}), CAST(r.reservation_id AS {{int}}), {address}, CAST(r.prefix_len AS {{int}}), \
             h.dhcp_identifier FROM hosts h JOIN ipv6_reservations r ON r.host_id = h.host_id \
             WHERE h.dhcp_identifier >= ? AND h.dhcp_identifier < ? AND h.dhcp_identifier_type + 0 = {FLEX_ID} \
             AND r.type = {PREFIX} ORDER BY h.dhcp_identifier LIMIT 1"
        );
        let end = names::free_since(pool, length, most.saturating_add(1));
        let values = vec![names::free_since(pool, length, least)[..].into(), end[..].into()];
        let Some(row) = self.database.row(&statement, values).await? else { return Ok(None) };
        let (host_id, reservation_id) = (row.get(0)?, row.get(1)?);
        let since = names::rests_since(pool, &row.get::<Vec<u8>>(4)?).unwrap_or(NEVER_USED);
        let address: String = row.get(2)?;
        let block = prefix(&address, row.get(3)?).map_err(crate::kea::KeaError::Answer)?.into();
        Ok(Some(Free { host_id, reservation_id, block, since }))
    }

    /// Writes that a block is free, which has no reservation yet.
    pub(super) async fn write_free(&mut self, block: Block, since: i64) -> Result<(), PdError> {
        let host = self.free_host(block.net(), since).await?;
        self.reserve(block, host).await
    }

    /// A reservation for a host.
    pub(super) async fn reserve(&mut self, block: Block, host_id: i64) -> Result<(), PdError> {
        let address = self.database.kind().stored(self.database.schema().reservations);
        let statement = format!(
            "INSERT INTO ipv6_reservations (address, prefix_len, type, host_id) VALUES ({address}, ?, {PREFIX}, ?)"
        );
        let prefix = block.net();
        let values =
            vec![prefix.network().to_string().into(), Value::Integer(prefix.prefix_len().into()), host_id.into()];
        self.database.execute(&statement, values).await?;
        Ok(())
    }

    /// Makes a reservation another host's, and of this length.
    pub(super) async fn hand_over(&mut self, reservation_id: i64, length: u8, host_id: i64) -> Result<(), PdError> {
        let statement = "UPDATE ipv6_reservations SET host_id = ?, prefix_len = ? WHERE reservation_id = ?";
        let values = vec![host_id.into(), i64::from(length).into(), reservation_id.into()];
        self.database.execute(statement, values).await?;
        Ok(())
    }

    /// Removes a free prefix's host, with the reservation if that is its own still.
    pub(super) async fn drop_free(&mut self, host_id: i64) -> Result<(), PdError> {
        self.database.execute("DELETE FROM hosts WHERE host_id = ?", vec![host_id.into()]).await?;
        Ok(())
    }

    /// The host for a free prefix; its number.
    pub(super) async fn free_host(&mut self, prefix: Ipv6Net, since: i64) -> Result<i64, PdError> {
        let identifier = names::free(self.settings.pool, prefix, since);
        let statement = "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type) VALUES (?, ?)";
        self.database.execute(statement, vec![identifier[..].into(), FLEX_ID.into()]).await?;
        let statement =
            "SELECT CAST(MAX(host_id) AS {int}) FROM hosts WHERE dhcp_identifier = ? AND dhcp6_subnet_id IS NULL";
        let row = self.database.row(statement, vec![identifier[..].into()]).await?;
        let missing = || crate::kea::KeaError::Answer("the host just made is missing".to_owned());
        Ok(row.ok_or_else(missing)?.get(0)?)
    }

    /// Of those of a length that still rest: how many, and when the first may be given.
    pub(super) async fn resting(&mut self, length: u8, now: i64) -> Result<Resting, PdError> {
        let pool = self.settings.pool;
        let rest = self.rest();
        let statement = format!(
            "SELECT CAST(COUNT(*) AS {{int}}) FROM hosts \
             WHERE dhcp_identifier >= ? AND dhcp_identifier < ? AND dhcp_identifier_type + 0 = {FLEX_ID}"
        );
        let (least, most) = (now.saturating_sub(rest).saturating_add(1), now.saturating_add(1));
        let end = names::free_since(pool, length, most.saturating_add(1));
        let values = vec![names::free_since(pool, length, least)[..].into(), end[..].into()];
        let count = self.database.row(&statement, values).await?.map(|row| row.get(0)).transpose()?.unwrap_or(0);
        let first = self.longest_free(length, least, most).await?;
        let until = first.map(|first| names::moment(first.since.saturating_add(rest))).unwrap_or_default();
        Ok(Resting { count, until })
    }

    /// How long a prefix rests, in seconds.
    pub(super) fn rest(&self) -> i64 {
        i64::try_from(self.settings.rest.as_secs()).unwrap_or(i64::MAX)
    }
}
