//! Where PostgreSQL and MariaDB differ in words. Statements are written once, with names in braces for what differs.

use super::schema::Address;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB, and MySQL.
    Mysql,
}

impl Kind {
    /// The kind that a URL names.
    pub(super) fn of(url: &str) -> Self {
        if url.starts_with("postgres") { Self::Postgres } else { Self::Mysql }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MariaDB or MySQL",
        }
    }

    /// A statement in this kind's words. In the one that is given
    /// - `?` is a value,
    /// - `{int}` is the type that any integer is cast to,
    /// - `{now}` is the database's clock, in seconds since 1970.
    pub(super) fn statement(self, text: &str) -> String {
        match self {
            Self::Postgres => {
                let now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS BIGINT)";
                numbered(&text.replace("{int}", "BIGINT").replace("{now}", now))
            }
            Self::Mysql => text.replace("{int}", "SIGNED").replace("{now}", "CAST(UNIX_TIMESTAMP() AS SIGNED)"),
        }
    }

    /// An address in a column of this type, as text. What is malformed stays so.
    pub fn shown(self, column: &str, address: Address) -> String {
        match (self, address) {
            (_, Address::Text) => column.to_owned(),
            (Self::Postgres, Address::Native) => format!("host({column})"),
            (Self::Mysql, Address::Native) => format!("INET6_NTOA({column})"),
        }
    }

    /// A value `?` that is text, for a column of this type.
    pub const fn stored(self, address: Address) -> &'static str {
        match (self, address) {
            (_, Address::Text) => "?",
            (Self::Postgres, Address::Native) => "CAST(CAST(? AS TEXT) AS INET)",
            (Self::Mysql, Address::Native) => "INET6_ATON(?)",
        }
    }
}

/// `?` by its number: no statement here has one in a text.
fn numbered(text: &str) -> String {
    let mut parts = text.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.zip(1..).fold(first, |text, (part, number)| format!("{text}${number}{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_statement_for_both() {
        let text = "SELECT CAST(a AS {int}) FROM t WHERE b = ? AND c = ?";
        assert_eq!(Kind::Postgres.statement(text), "SELECT CAST(a AS BIGINT) FROM t WHERE b = $1 AND c = $2");
        assert_eq!(Kind::Mysql.statement(text), "SELECT CAST(a AS SIGNED) FROM t WHERE b = ? AND c = ?");
    }

    #[test]
    fn kinds_by_url() {
        for (url, kind) in [
            ("postgresql://kea@/kea", Kind::Postgres),
            ("postgres://db/kea", Kind::Postgres),
            ("mysql://db/kea", Kind::Mysql),
            ("mariadb://db/kea", Kind::Mysql),
        ] {
            assert_eq!(Kind::of(url), kind);
        }
    }
}
