//! What Kea's tables look like. Kea's releases have changed the types of columns, so these are looked at.

use std::collections::BTreeMap;

use super::{Database, KeaError, Kind};

/// How a column holds an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// As text: up to Kea 2.3.
    Text,
    /// As the database's own type: `inet`, or `binary(16)`.
    Native,
}

/// The tables that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// `ipv6_reservations.address`.
    pub reservations: Address,
    /// `lease6.address`; none where leases are not kept here, or not shown to this user.
    pub leases: Option<Address>,
}

impl Schema {
    /// Before it has been looked at.
    pub(super) const UNKNOWN: Self = Self { reservations: Address::Text, leases: None };
}

/// The columns without which nothing can be done. Those of leases come when they are needed.
const NEEDED: [(&str, &[&str]); 2] = [
    ("hosts", &["host_id", "dhcp_identifier", "dhcp_identifier_type", "dhcp6_subnet_id", "user_context"]),
    ("ipv6_reservations", &["reservation_id", "address", "prefix_len", "type", "host_id"]),
];

/// Of the tables that a statement without a schema's name would be about.
const POSTGRES: &str = "SELECT CAST(c.relname AS TEXT), CAST(a.attname AS TEXT), format_type(a.atttypid, NULL) \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     WHERE a.attrelid IN (to_regclass('hosts'), to_regclass('ipv6_reservations'), to_regclass('lease6')) \
     AND a.attnum > 0 AND NOT a.attisdropped";
const MYSQL: &str = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(column_type AS CHAR) \
     FROM information_schema.columns \
     WHERE table_schema = DATABASE() AND table_name IN ('hosts', 'ipv6_reservations', 'lease6')";

/// Looks.
pub(super) async fn look(database: &mut Database) -> Result<Schema, KeaError> {
    let statement = match database.kind() {
        Kind::Postgres => POSTGRES,
        Kind::Mysql => MYSQL,
    };
    let mut columns = BTreeMap::new();
    for row in database.rows(statement, Vec::new()).await? {
        columns.insert((row.get::<String>(0)?, row.get::<String>(1)?), row.get::<String>(2)?);
    }
    recognise(&columns).map_err(|problem| KeaError::NotKeas { url: database.url().to_owned(), problem })
}

fn recognise(columns: &BTreeMap<(String, String), String>) -> Result<Schema, String> {
    for (table, needed) in NEEDED {
        if !columns.keys().any(|(name, _)| name == table) {
            return Err(format!("it has no table {table} that this user may see; `kea-admin db-init` makes one"));
        }
        for column in needed {
            if !columns.contains_key(&(table.to_owned(), (*column).to_owned())) {
                return Err(format!("its table {table} has no column {column}; `kea-admin db-upgrade` may add it"));
            }
        }
    }
    let address = |table: &str| match columns.get(&(table.to_owned(), "address".to_owned())) {
        None => Ok(None),
        Some(text) if text.starts_with("varchar") || text.starts_with("character varying") => Ok(Some(Address::Text)),
        Some(native) if native == "inet" || native == "binary(16)" => Ok(Some(Address::Native)),
        Some(other) => Err(format!("its {table}.address is of type {other}, which no known release of Kea has made")),
    };
    let reservations = address("ipv6_reservations")?.unwrap_or(Address::Text);
    Ok(Schema { reservations, leases: address("lease6")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is needed, with these types of addresses.
    fn columns(types: &[(&str, &str)]) -> BTreeMap<(String, String), String> {
        let mut columns = BTreeMap::new();
        for (table, names) in NEEDED {
            columns.extend(names.iter().map(|name| ((table.to_owned(), (*name).to_owned()), "integer".to_owned())));
        }
        for (table, kind) in types {
            columns.insert(((*table).to_owned(), "address".to_owned()), (*kind).to_owned());
        }
        columns
    }

    #[test]
    fn releases_are_known_by_their_columns() {
        for (text, address) in [
            ("character varying", Address::Text),
            ("varchar(39)", Address::Text),
            ("inet", Address::Native),
            ("binary(16)", Address::Native),
        ] {
            let schema = recognise(&columns(&[("ipv6_reservations", text), ("lease6", text)]));
            assert_eq!(schema, Ok(Schema { reservations: address, leases: Some(address) }));
        }
        let schema = recognise(&columns(&[("ipv6_reservations", "inet")]));
        assert_eq!(schema, Ok(Schema { reservations: Address::Native, leases: None }));
    }

    #[test]
    fn others_are_refused() {
        let none = "it has no table hosts that this user may see; `kea-admin db-init` makes one";
        assert_eq!(recognise(&BTreeMap::new()), Err(none.to_owned()));
        let mut old = columns(&[("ipv6_reservations", "inet")]);
        old.remove(&("hosts".to_owned(), "user_context".to_owned()));
        let message = "its table hosts has no column user_context; `kea-admin db-upgrade` may add it";
        assert_eq!(recognise(&old), Err(message.to_owned()));
        let message = "its ipv6_reservations.address is of type bytea, which no known release of Kea has made";
        assert_eq!(recognise(&columns(&[("ipv6_reservations", "bytea")])), Err(message.to_owned()));
    }
}
