//! Which VM has which prefix.

use std::fmt::Display;

use ipnet::Ipv6Net;
use ipv6_sg_common::eui64;
use ipv6_sg_common::mac::Mac;
use serde::{Serialize, Serializer};

use super::names::Context;
use super::{PdError, Pool};
use crate::kea::reservations::{HW_ADDRESS, PREFIX, prefix};

/// A prefix that a VM has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delegation {
    /// The VM, where that is recorded.
    pub vm: Option<String>,
    /// Its MAC.
    #[serde(serialize_with = "text")]
    pub mac: Mac,
    /// The prefix.
    pub prefix: Ipv6Net,
    /// The address by which the VM's router reaches it.
    pub via: std::net::Ipv6Addr,
}

/// Anything as its text.
pub(super) fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

impl Pool {
    /// All prefixes of the pool that VMs have, in order.
    ///
    /// # Errors
    /// The database refuses, or is away.
    pub async fn list(&mut self) -> Result<Vec<Delegation>, PdError> {
        let address = self.database.kind().shown("r.address", self.database.schema().reservations);
        let statement = format!(
            "SELECT h.dhcp_identifier, COALESCE(h.user_context, ''), {address}, CAST(r.prefix_len AS {{int}}) \
             FROM hosts h JOIN ipv6_reservations r ON r.host_id = h.host_id \
             WHERE h.dhcp_identifier_type = {HW_ADDRESS} AND h.dhcp6_subnet_id = ? AND r.type = {PREFIX}"
        );
        let mut delegations = Vec::new();
        let subnet_id = self.subnet_id();
        for row in self.database.rows(&statement, vec![subnet_id]).await? {
            let octets: Result<[u8; 6], _> = row.get::<Vec<u8>>(0)?.try_into();
            let prefix = prefix(&row.get::<String>(2)?, row.get(3)?);
            let (Ok(octets), Ok(prefix)) = (octets, prefix) else { continue };
            if !self.settings.pool.contains(&prefix) {
                continue;
            }
            let mac = Mac { octets };
            let vm = Context::parse(&row.get::<String>(1)?).unwrap_or_default().vm().map(ToOwned::to_owned);
            let via = std::net::Ipv6Addr::from(eui64::link_local(mac).octets);
            delegations.push(Delegation { vm, mac, prefix, via });
        }
        delegations.sort_by_key(|delegation| delegation.prefix);
        Ok(delegations)
    }
}
