//! Taking prefixes back. They rest then, as nobody's.

use std::fmt;

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;
use serde::Serialize;

use super::host::Host;
use super::names::{self, Context};
use super::{PdError, Pool};
use crate::kea::reservations::HW_ADDRESS;

/// Whose prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This MAC's.
    Mac(Mac),
    /// This VM's, of all of its MACs.
    Vm(String),
    /// This MAC's, which is this VM's.
    Both(Mac, String),
}

/// A prefix that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Whose it was, where that is recorded.
    pub vm: Option<String>,
    /// Its MAC.
    #[serde(serialize_with = "super::list::text")]
    pub mac: Mac,
    /// The prefix.
    pub prefix: Ipv6Net,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) | Self::Both(mac, _) => write!(f, "MAC {mac}"),
            Self::Vm(vm) => write!(f, "VM {vm:?}"),
        }
    }
}

impl Pool {
    /// Takes back all prefixes of the pool, or the one that is named.
    ///
    /// # Errors
    /// There is none, the MAC is another VM's, or the database refuses. Then nothing is taken.
    pub async fn release(&mut self, whose: &Whose, prefix: Option<Ipv6Net>) -> Result<Vec<Released>, PdError> {
        self.at_once(async |pool| pool.release_at_once(whose, prefix).await).await
    }

    pub(super) async fn release_at_once(
        &mut self,
        whose: &Whose,
        only: Option<Ipv6Net>,
    ) -> Result<Vec<Released>, PdError> {
        let locked = self.lock().await?;
        let mut released = Vec::new();
        for (mac, host) in self.hosts_of(whose).await? {
            let vm = host.context.vm().map(ToOwned::to_owned);
            if let (Whose::Both(_, given), Some(recorded)) = (whose, &vm)
                && given != recorded
            {
                return Err(PdError::OtherVm { mac, recorded: recorded.clone(), given: given.clone() });
            }
            for (reservation_id, prefix) in self.prefixes_of(&host).await? {
                if only.is_none_or(|only| only == prefix) {
                    let nobody = self.free_host(prefix, locked.now).await?;
                    self.hand_over(reservation_id, prefix.prefix_len(), nobody).await?;
                    released.push(Released { vm: vm.clone(), mac, prefix });
                }
            }
            self.forget(&host).await?;
        }
        if released.is_empty() {
            let which = only.map(|prefix| format!(" {prefix}")).unwrap_or_default();
            return Err(PdError::NothingReserved { whose: whose.to_string(), which, pool: self.settings.pool });
        }
        released.sort_by_key(|released| (released.mac, released.prefix));
        Ok(released)
    }

    async fn hosts_of(&mut self, whose: &Whose) -> Result<Vec<(Mac, Host)>, PdError> {
        let vm = match whose {
            Whose::Mac(mac) | Whose::Both(mac, _) => {
                return Ok(self.host(*mac).await?.map(|host| (*mac, host)).into_iter().collect());
            }
            Whose::Vm(vm) => vm,
        };
        let statement = "SELECT CAST(host_id AS {int}), dhcp_identifier, user_context FROM hosts \
             WHERE dhcp_identifier_type = ? AND dhcp6_subnet_id = ? AND POSITION(? IN user_context) > 0";
        let values = vec![HW_ADDRESS.into(), self.subnet_id(), names::vm_in_context(vm).into()];
        let mut hosts = Vec::new();
        for row in self.database.rows(statement, values).await? {
            // The text may be anywhere in it.
            let context = Context::parse(&row.get::<String>(2)?).unwrap_or_default();
            let octets: Result<[u8; 6], _> = row.get::<Vec<u8>>(1)?.try_into();
            if let (Some(recorded), Ok(octets)) = (context.vm(), octets)
                && recorded == vm
            {
                hosts.push((Mac { octets }, Host { host_id: row.get(0)?, context }));
            }
        }
        Ok(hosts)
    }
}
