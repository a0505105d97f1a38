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

/// A prefix that is reserved for a MAC.
pub(super) struct Reserved {
    pub(super) mac: Mac,
    /// What its host says.
    pub(super) context: Context,
    pub(super) prefix: Ipv6Net,
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
        let reserved = self.reserved().await?.into_iter();
        let mut delegations: Vec<_> = reserved
            .map(|Reserved { mac, context, prefix }| Delegation {
                vm: context.vm().map(ToOwned::to_owned),
                mac,
                prefix,
                via: eui64::link_local(mac).to_ip(),
            })
            .collect();
        delegations.sort_by_key(|delegation| delegation.prefix);
        Ok(delegations)
    }

    /// All prefixes of the pool that are reserved for MACs.
    pub(super) async fn reserved(&mut self) -> Result<Vec<Reserved>, PdError> {
        let address = self.database.kind().shown("r.address", self.database.schema().reservations);
        let statement = format!(
            "SELECT h.dhcp_identifier, COALESCE(h.user_context, ''), {address}, CAST(r.prefix_len AS {{int}}) \
             FROM hosts h JOIN ipv6_reservations r ON r.host_id = h.host_id \
             WHERE h.dhcp_identifier_type = {HW_ADDRESS} AND h.dhcp6_subnet_id = ? AND r.type = {PREFIX}"
        );
        let mut reserved = Vec::new();
        let subnet_id = self.subnet_id();
        for row in self.database.rows(&statement, vec![subnet_id]).await? {
            let octets: Result<[u8; 6], _> = row.get::<Vec<u8>>(0)?.try_into();
            let prefix = prefix(&row.get::<String>(2)?, row.get(3)?);
            let (Ok(octets), Ok(prefix)) = (octets, prefix) else { continue };
            if !self.settings.pool.contains(&prefix) {
                continue;
            }
            // What others have written there says nothing of ours.
            let context = Context::parse(&row.get::<String>(1)?).unwrap_or_default();
            reserved.push(Reserved { mac: Mac { octets }, context, prefix });
        }
        Ok(reserved)
    }
}
