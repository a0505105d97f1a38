//! Giving a VM prefixes.

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;
use serde::Serialize;

use super::host::Host;
use super::{PdError, Pool};

/// The most prefixes of a length that one MAC can have: a VM asks for each by itself.
const MOST: u32 = 256;

/// What a VM has after it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Allocated {
    /// Its name.
    pub vm: String,
    /// Its MAC.
    #[serde(serialize_with = "super::list::text")]
    pub mac: Mac,
    /// All of its prefixes of that length, in order.
    pub prefixes: Vec<Ipv6Net>,
    /// Those of them that it had not before.
    pub new: Vec<Ipv6Net>,
}

impl Pool {
    /// Sees to it that a VM has so many prefixes of a length in all; gives what is missing, and never takes one.
    ///
    /// # Errors
    /// The pool has no more, the MAC is another VM's, or the database refuses. Then nothing is given.
    pub async fn allocate(&mut self, vm: &str, mac: Mac, count: u32, length: u8) -> Result<Allocated, PdError> {
        self.at_once(async |pool| pool.allocate_at_once(vm, mac, count, length).await).await
    }

    pub(super) async fn allocate_at_once(
        &mut self,
        vm: &str,
        mac: Mac,
        count: u32,
        length: u8,
    ) -> Result<Allocated, PdError> {
        if !(1..=MOST).contains(&count) {
            return Err(PdError::Count(count));
        }
        let pool = self.settings.pool;
        if !(pool.prefix_len()..=64).contains(&length) {
            return Err(PdError::Length { pool, length });
        }
        let mut locked = self.lock().await?;
        let host = self.host_of(vm, mac).await?;
        let mut prefixes: Vec<_> = self.prefixes_of(&host).await?.into_iter().map(|(_, prefix)| prefix).collect();
        prefixes.retain(|prefix| prefix.prefix_len() == length);
        let mut new = Vec::new();
        for _ in prefixes.len()..usize::try_from(count).unwrap_or(usize::MAX) {
            new.push(self.take(&mut locked, length, host.host_id).await?.net());
        }
        self.write(&locked).await?;
        prefixes.extend(&new);
        prefixes.sort();
        Ok(Allocated { vm: vm.to_owned(), mac, prefixes, new })
    }

    /// The prefixes of the pool that a host has, with the numbers of their rows.
    pub(super) async fn prefixes_of(&mut self, host: &Host) -> Result<Vec<(i64, Ipv6Net)>, PdError> {
        let address = self.database.kind().shown("address", self.database.schema().reservations);
        let statement = format!(
            "SELECT CAST(reservation_id AS {{int}}), {address}, CAST(prefix_len AS {{int}}) \
             FROM ipv6_reservations WHERE host_id = ? AND type = {}",
            crate::kea::reservations::PREFIX
        );
        let mut prefixes = Vec::new();
        for row in self.database.rows(&statement, vec![host.host_id.into()]).await? {
            let prefix = crate::kea::reservations::prefix(&row.get::<String>(1)?, row.get(2)?);
            if let Some(prefix) = prefix.ok().filter(|prefix| self.settings.pool.contains(prefix)) {
                prefixes.push((row.get(0)?, prefix));
            }
        }
        Ok(prefixes)
    }
}
