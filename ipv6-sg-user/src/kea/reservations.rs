//! The prefixes that are reserved for MACs.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;

use super::database::Row;
use super::{Database, KeaError, Value};

/// The type of identifier that is a MAC, and the type of reservation that is a prefix.
pub(crate) const HW_ADDRESS: i64 = 0;
pub(crate) const PREFIX: i64 = 2;

/// Under which key of a host's context what is ours stands, and in it the VM's name.
pub(crate) const CONTEXT: &str = "ipv6-sg";
pub(crate) const VM: &str = "vm";

/// MACs that are asked for at once.
const AT_ONCE: usize = 256;

/// A prefix that is reserved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reservation {
    /// Its number, which grows.
    pub id: i64,
    /// The VM's MAC.
    pub mac: Mac,
    /// In which of Kea's subnets.
    pub subnet_id: i64,
    /// The prefix.
    pub prefix: Ipv6Net,
    /// The VM's name, where `ipv6-sg pd` has recorded one.
    pub vm: Option<String>,
}

/// What is reserved, and what is written as if it were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// In the order in which they were made.
    pub reservations: Vec<Reservation>,
    /// What is no prefix, each as a line that says whose and what.
    pub malformed: Vec<String>,
}

/// The VM's name in a host's `user_context`, which others may have written, and as anything.
fn recorded_vm(context: &str) -> Option<String> {
    let context: serde_json::Value = serde_json::from_str(context).ok()?;
    context.get(CONTEXT)?.get(VM)?.as_str().map(ToOwned::to_owned)
}

/// A prefix as the tables have it.
///
/// # Errors
/// It is none; the text says how it is written.
pub fn prefix(address: &str, length: i64) -> Result<Ipv6Net, String> {
    let written = || format!("{address}/{length}");
    let address: Ipv6Addr = address.parse().map_err(|_| written())?;
    let length = u8::try_from(length).map_err(|_| written())?;
    let prefix = Ipv6Net::new(address, length).map_err(|_| written())?;
    // Kea would hand it out with its host bits.
    if prefix == prefix.trunc() { Ok(prefix) } else { Err(written()) }
}

impl Database {
    /// What is reserved for these MACs; in one subnet where that is named, else in all.
    ///
    /// # Errors
    /// The database refuses, or is away.
    pub async fn reservations(&mut self, macs: &[Mac], subnet_id: Option<u32>) -> Result<Reserved, KeaError> {
        let macs: Vec<_> = macs.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut reserved = Reserved::default();
        for macs in macs.chunks(AT_ONCE) {
            let address = self.kind().shown("r.address", self.schema().reservations);
            let places = vec!["?"; macs.len()].join(", ");
            let subnet = if subnet_id.is_some() { "= ?" } else { "IS NOT NULL" };
            let statement = format!(
                "SELECT h.dhcp_identifier, CAST(h.dhcp6_subnet_id AS {{int}}), {address}, CAST(r.prefix_len AS {{int}}), \
                 CAST(r.reservation_id AS {{int}}), COALESCE(h.user_context, '') \
                 FROM hosts h JOIN ipv6_reservations r ON r.host_id = h.host_id \
                 WHERE h.dhcp_identifier_type = {HW_ADDRESS} AND r.type = {PREFIX} \
                 AND h.dhcp_identifier IN ({places}) AND h.dhcp6_subnet_id {subnet}"
            );
            let mut values: Vec<Value> = macs.iter().map(|mac| Value::from(&mac.octets[..])).collect();
            values.extend(subnet_id.map(|id| Value::from(i64::from(id))));
            for row in self.rows(&statement, values).await? {
                reserved.take_in(&row)?;
            }
        }
        reserved.reservations.sort();
        Ok(reserved)
    }
}

impl Reserved {
    fn take_in(&mut self, row: &Row) -> Result<(), KeaError> {
        let bytes: Vec<u8> = row.get(0)?;
        let Ok(octets) = bytes.try_into() else {
            return Err(KeaError::Answer("a MAC that is none of those asked for".to_owned()));
        };
        let (mac, subnet_id) = (Mac { octets }, row.get(1)?);
        match prefix(&row.get::<String>(2)?, row.get(3)?) {
            Ok(prefix) => {
                let vm = recorded_vm(&row.get::<String>(5)?);
                self.reservations.push(Reservation { id: row.get(4)?, mac, subnet_id, prefix, vm });
            }
            Err(written) => self.malformed.push(format!("{mac}, subnet {subnet_id}: {written:?} is no prefix")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_as_tables_have_them() {
        assert_eq!(prefix("2001:db8::", 60), Ok("2001:db8::/60".parse().unwrap()));
        for (address, length) in
            [("2001:db8::1", 60), ("2001:db8::", 129), ("2001:db8::", -1), ("192.0.2.0", 24), ("x", 1)]
        {
            assert_eq!(prefix(address, length), Err(format!("{address}/{length}")));
        }
    }
}
