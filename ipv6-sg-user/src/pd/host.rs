//! A VM's host among Kea's: found, made, and removed when nothing is left of it.

use ipv6_sg_common::mac::Mac;

use super::names::Context;
use super::{PdError, Pool};
use crate::kea::Value;
use crate::kea::reservations::{HW_ADDRESS, PREFIX};

/// A host that Kea knows by a MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) host_id: i64,
    pub(super) context: Context,
}

impl Pool {
    /// The host of a MAC in our subnet, if there is one.
    pub(super) async fn host(&mut self, mac: Mac) -> Result<Option<Host>, PdError> {
        let statement = "SELECT CAST(host_id AS {int}), COALESCE(user_context, '') \
             FROM hosts WHERE dhcp_identifier = ? AND dhcp_identifier_type = ? AND dhcp6_subnet_id = ?";
        let values = vec![mac.octets[..].into(), HW_ADDRESS.into(), self.subnet_id()];
        let Some(row) = self.database.row(statement, values).await? else { return Ok(None) };
        let host_id = row.get(0)?;
        let context = Context::parse(&row.get::<String>(1)?).map_err(|()| PdError::Context { host_id })?;
        Ok(Some(Host { host_id, context }))
    }

    /// Whether the MAC is of ours alone: nothing is given to one that Kea would serve in two subnets. What it has can be taken back.
    async fn refuse_mac_twice(&mut self, mac: Mac) -> Result<(), PdError> {
        let statement = "SELECT CAST(dhcp6_subnet_id AS {int}) FROM hosts \
             WHERE dhcp_identifier = ? AND dhcp_identifier_type = ? AND dhcp6_subnet_id <> ?";
        let values = vec![mac.octets[..].into(), HW_ADDRESS.into(), self.subnet_id()];
        match self.database.row(statement, values).await? {
            None => Ok(()),
            Some(row) => Err(PdError::MacTwice { mac, other: row.get(0)?, subnet_id: self.settings.subnet_id }),
        }
    }

    /// The same, made where there is none, and with the VM's name.
    pub(super) async fn host_of(&mut self, vm: &str, mac: Mac) -> Result<Host, PdError> {
        self.refuse_mac_twice(mac).await?;
        let Some(mut host) = self.host(mac).await? else {
            let mut context = Context::default();
            context.set_vm(vm);
            let statement = "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id, user_context) \
                 VALUES (?, ?, ?, ?)";
            let values = vec![mac.octets[..].into(), HW_ADDRESS.into(), self.subnet_id(), context.text().into()];
            self.database.execute(statement, values).await?;
            let made = self.host(mac).await?;
            return made.ok_or_else(|| crate::kea::KeaError::Answer("the host just made is missing".into()).into());
        };
        match host.context.vm() {
            Some(recorded) if recorded == vm => {}
            Some(recorded) => {
                return Err(PdError::OtherVm { mac, recorded: recorded.to_owned(), given: vm.to_owned() });
            }
            None => {
                host.context.set_vm(vm);
                self.write_context(&host).await?;
            }
        }
        Ok(host)
    }

    /// Leaves nothing of ours with a host that has no prefix any more, and nothing of the host where it was for that alone.
    pub(super) async fn forget(&mut self, host: &Host) -> Result<(), PdError> {
        let statement =
            format!("SELECT CAST(COUNT(*) AS {{int}}) FROM ipv6_reservations WHERE host_id = ? AND type = {PREFIX}");
        let row = self.database.row(&statement, vec![host.host_id.into()]).await?;
        if row.map(|row| row.get::<i64>(0)).transpose()? != Some(0) {
            return Ok(());
        }
        let rest = Host { host_id: host.host_id, context: host.context.clone().without_ours() };
        if rest.context.is_empty() && host.context.is_ours() {
            let statement = "DELETE FROM hosts WHERE host_id = ? \
                 AND (hostname IS NULL OR hostname = '') AND (ipv4_address IS NULL OR ipv4_address = 0) \
                 AND (dhcp4_subnet_id IS NULL OR dhcp4_subnet_id = 0) \
                 AND (dhcp6_client_classes IS NULL OR dhcp6_client_classes = '') \
                 AND NOT EXISTS (SELECT 1 FROM ipv6_reservations r WHERE r.host_id = hosts.host_id) \
                 AND NOT EXISTS (SELECT 1 FROM dhcp4_options o WHERE o.host_id = hosts.host_id) \
                 AND NOT EXISTS (SELECT 1 FROM dhcp6_options o WHERE o.host_id = hosts.host_id)";
            if self.database.execute(statement, vec![host.host_id.into()]).await? > 0 {
                return Ok(());
            }
        }
        self.write_context(&rest).await
    }

    pub(super) async fn write_context(&mut self, host: &Host) -> Result<(), PdError> {
        let (statement, mut values): (_, Vec<Value>) = match host.context.is_empty() {
            true => ("UPDATE hosts SET user_context = NULL WHERE host_id = ?", vec![]),
            false => ("UPDATE hosts SET user_context = ? WHERE host_id = ?", vec![host.context.text().into()]),
        };
        values.push(host.host_id.into());
        self.database.execute(statement, values).await?;
        Ok(())
    }
}
