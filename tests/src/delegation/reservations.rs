//! What the server's database says: which prefixes are whose, and which of them somebody has asked for.

use ipv6_sg_common::mac::Mac;

use super::Database;

/// The prefixes that are reserved for MACs, and their leases.
#[derive(Clone, Copy)]
pub struct Reservations<'a>(pub(super) &'a Database);

/// A prefix that a client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The prefix.
    pub prefix: String,
    /// Its client's identifier, in hexadecimal digits.
    pub duid: String,
    /// The number of the client's association.
    pub association: u32,
}

fn hex(mac: Mac) -> String {
    mac.octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Reservations<'_> {
    /// Reserves a prefix for a MAC.
    #[track_caller]
    pub fn add(self, mac: Mac, prefix: &str) {
        let (address, length) = prefix.split_once('/').expect("a prefix");
        let identifier = format!("decode('{}', 'hex')", hex(mac));
        self.0.sql(&format!(
            "INSERT INTO hosts (dhcp_identifier, dhcp_identifier_type, dhcp6_subnet_id) VALUES ({identifier}, 0, 1)
             ON CONFLICT DO NOTHING"
        ));
        self.0.sql(&format!(
            "INSERT INTO ipv6_reservations (address, prefix_len, type, host_id)
             SELECT '{address}', {length}, 2, host_id FROM hosts WHERE dhcp_identifier = {identifier}"
        ));
    }

    /// Takes a reservation back.
    #[track_caller]
    pub fn remove(self, prefix: &str) {
        let (address, length) = prefix.split_once('/').expect("a prefix");
        let gone =
            format!("DELETE FROM ipv6_reservations WHERE address = '{address}' AND prefix_len = {length} RETURNING 1");
        assert_eq!(self.0.sql(&gone).len(), 1, "{prefix} was not reserved");
    }

    /// The prefixes of a MAC, in the order they were reserved.
    #[track_caller]
    pub fn of(self, mac: Mac) -> Vec<String> {
        self.0.sql(&format!(
            "SELECT address || '/' || prefix_len FROM ipv6_reservations JOIN hosts USING (host_id)
             WHERE type = 2 AND dhcp_identifier = decode('{}', 'hex') ORDER BY reservation_id",
            hex(mac)
        ))
    }

    /// All prefixes, and whose they are.
    #[track_caller]
    pub fn all(self) -> Vec<(String, Mac)> {
        let rows = self.0.sql(
            "SELECT address || '/' || prefix_len || ' ' || encode(dhcp_identifier, 'hex')
             FROM ipv6_reservations JOIN hosts USING (host_id) WHERE type = 2",
        );
        let reserved = |row: &String| {
            let (prefix, mac) = row.split_once(' ').expect("two words");
            let octet = |at: usize| u8::from_str_radix(&mac[2 * at..2 * at + 2], 16).expect("hexadecimal digits");
            (prefix.to_owned(), Mac { octets: std::array::from_fn(octet) })
        };
        rows.iter().map(reserved).collect()
    }

    /// The prefixes that clients hold.
    #[track_caller]
    pub fn leases(self) -> Vec<Lease> {
        let rows = self.0.sql(
            "SELECT address || '/' || prefix_len || ' ' || encode(duid, 'hex') || ' ' || (iaid::bigint & 4294967295)
             FROM lease6
             WHERE lease_type = 2 AND state = 0 AND valid_lifetime > 0 ORDER BY address",
        );
        let lease = |row: &String| {
            let mut words = row.split(' ').map(ToOwned::to_owned);
            let (Some(prefix), Some(duid), Some(number)) = (words.next(), words.next(), words.next()) else {
                panic!("no lease: {row}");
            };
            Lease { prefix, duid, association: number.parse().expect("a number") }
        };
        rows.iter().map(lease).collect()
    }

    /// Drops the leases of a MAC, whoever they are held by: what its next guest asks anew.
    #[track_caller]
    pub fn forget_leases(self, mac: Mac) {
        self.0.sql(&format!("DELETE FROM lease6 WHERE hwaddr = decode('{}', 'hex')", hex(mac)));
    }
}
