//! `[pd]`: prefixes for VMs, out of which pool, and where they are recorded.

use std::time::Duration;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize, Serializer};
use toml::Spanned;

use super::super::document::Document;
use super::super::{Error, Problem, value};
use super::Database;

/// The longest prefix that is worth delegating: VMs form addresses from a /64.
const LONGEST: u8 = 64;

/// Kea's bounds of subnet ids.
const SUBNET_IDS: (u32, u32) = (1, u32::MAX - 1);

/// The longest rest: a year or so.
const LONGEST_REST: Duration = Duration::from_secs(400 * 24 * 3600);

/// Prefix delegation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pd {
    /// What prefixes are taken from.
    pub pool: Ipv6Net,
    /// Their length, where nobody says another.
    pub length: u8,
    /// Parts of the pool that are never given.
    pub reserved: Vec<Ipv6Net>,
    /// How long a prefix that was released is given to nobody.
    #[serde(serialize_with = "duration")]
    pub rest: Duration,
    /// The subnet of Kea's that VMs ask from.
    pub subnet_id: u32,
    /// Where prefixes are recorded.
    #[serde(flatten)]
    pub database: Database,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    pool: Spanned<String>,
    length: Option<Spanned<u32>>,
    #[serde(default)]
    reserved: Vec<Spanned<String>>,
    rest: Option<Spanned<String>>,
    subnet_id: Option<Spanned<u32>>,
    database: Spanned<String>,
    password_file: Option<Spanned<String>>,
}

impl Entries {
    pub(super) fn checked(self, document: &Document) -> Result<Pd, Error> {
        let key = |name: &str| format!("pd.{name}");
        let pool = document.value(|| key("pool"), &self.pool, checked_pool)?;
        let mut reserved = Vec::new();
        for (index, text) in self.reserved.iter().enumerate() {
            let inside = |text: &str| inside(pool, text);
            reserved.push(document.value(|| format!("pd.reserved[{index}]"), text, inside)?);
        }
        let number = |name: &str, written: Option<Spanned<u32>>, default: u32, (least, most): (u32, u32)| {
            let Some(number) = written else { return Ok(default) };
            if (least..=most).contains(number.get_ref()) {
                return Ok(number.into_inner());
            }
            let value = number.get_ref().to_string();
            Err(document.invalid(&number, key(name), value, Problem::OutOfBounds(least, most)))
        };
        let lengths = (u32::from(pool.prefix_len()), u32::from(LONGEST));
        let length = number("length", self.length, lengths.0.max(60), lengths)?;
        let rest = self.rest.map(|text| document.value(|| key("rest"), &text, rest)).transpose()?;
        Ok(Pd {
            pool,
            // Within bounds that fit.
            length: u8::try_from(length).unwrap_or(LONGEST),
            reserved,
            rest: rest.unwrap_or(Duration::from_secs(7 * 24 * 3600)),
            subnet_id: number("subnet_id", self.subnet_id, 1, SUBNET_IDS)?,
            database: Database::checked(document, "pd", &self.database, self.password_file.as_ref())?,
        })
    }
}

fn checked_pool(text: &str) -> Result<Ipv6Net, Problem> {
    let pool = value::prefix(text).map_err(|problem| match problem {
        Problem::Ipv4 => Problem::Ipv4Pool,
        problem => problem,
    })?;
    if pool.prefix_len() <= LONGEST { Ok(pool) } else { Err(Problem::TooLong(LONGEST)) }
}

fn inside(pool: Ipv6Net, text: &str) -> Result<Ipv6Net, Problem> {
    let prefix = value::any_prefix(text)?;
    if pool.contains(&prefix) { Ok(prefix) } else { Err(Problem::OutsidePool(pool)) }
}

fn rest(text: &str) -> Result<Duration, Problem> {
    let rest = humantime::parse_duration(text).map_err(|_| Problem::NotADuration)?;
    if rest <= LONGEST_REST { Ok(rest) } else { Err(Problem::NotADuration) }
}

fn duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}
