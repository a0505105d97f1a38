//! A VM that was rebuilt: it asks under a new name (DUID), and what is leased to the old one would keep its prefixes from it.

use ipv6_sg_common::mac::Mac;
use serde::Serialize;

use super::{PdError, Pool};
use crate::kea::database::Row;
use crate::kea::schema::Address;
use crate::kea::{KeaError, Value};

/// A lease that is no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lease {
    /// Its address, or its prefix.
    pub lease: String,
    /// Whom it was given to, by the name that it asked under.
    pub duid: String,
}

/// What is asked of each lease: address, length, type, DUID.
fn columns(address: &str) -> String {
    format!("{address}, CAST(prefix_len AS {{int}}), CAST(lease_type AS {{int}}), duid")
}

fn lease(row: &Row) -> Result<Lease, KeaError> {
    let (address, length, kind): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let duid = row.get::<Option<Vec<u8>>>(3)?.unwrap_or_default();
    let lease = if kind == crate::kea::reservations::PREFIX { format!("{address}/{length}") } else { address };
    let duid: Vec<_> = duid.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Lease { lease, duid: duid.join(":") })
}

impl Pool {
    /// How leases hold addresses.
    pub(super) fn leases(&self) -> Result<Address, PdError> {
        let problem = || KeaError::NotKeas {
            url: self.database.url().to_owned(),
            problem: "it has no table lease6 that this user may see; leases are elsewhere: use Kea's lease6-del"
                .to_owned(),
        };
        Ok(self.database.schema().leases.ok_or_else(problem)?)
    }

    /// Drops all leases that Kea has given to this MAC, and those of the prefixes that are reserved for it; they are answered.
    ///
    /// # Errors
    /// Leases are not in this database, or it refuses.
    pub async fn rebuild(&mut self, mac: Mac) -> Result<Vec<Lease>, PdError> {
        self.leases()?;
        self.at_once(async |pool| pool.rebuild_at_once(mac).await).await
    }

    async fn rebuild_at_once(&mut self, mac: Mac) -> Result<Vec<Lease>, PdError> {
        let address = self.leases()?;
        let (shown, stored) = (self.database.kind().shown("address", address), self.database.kind().stored(address));
        let mut conditions = vec![("hwaddr = ?".to_owned(), Value::from(&mac.octets[..]))];
        if let Some(host) = self.host(mac).await? {
            for (_, prefix) in self.prefixes_of(&host).await? {
                let condition = format!("lease_type = 2 AND address = {stored}");
                conditions.push((condition, prefix.network().to_string().into()));
            }
        }
        let mut leases = Vec::new();
        for (condition, value) in conditions {
            let statement = format!("SELECT {} FROM lease6 WHERE {condition} FOR UPDATE", columns(&shown));
            for row in self.database.rows(&statement, vec![value.clone()]).await? {
                leases.push(lease(&row)?);
            }
            self.database.execute(&format!("DELETE FROM lease6 WHERE {condition}"), vec![value]).await?;
        }
        leases.sort();
        Ok(leases)
    }
}
