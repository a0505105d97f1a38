//! How what is no VM is written among Kea's hosts: under identifiers of a type that Kea looks up for nobody, and in no subnet
//! or as what no client can say.
//!
//! A pool is one row, which whoever allocates locks. A free prefix is a row each; its identifier has the length and then the
//! time since when it rests, so that identifiers of one length are in the order in which they may be given again.

use std::time::{Duration, SystemTime};

use ipnet::Ipv6Net;
use serde_json::{Map, Value};

use crate::kea::reservations::{CONTEXT, VM};

/// The type of identifier: Kea's flexible one.
pub(super) const FLEX_ID: i64 = 4;

/// Since when a prefix rests that nobody ever had, in seconds since 1970.
pub(super) const NEVER_USED: i64 = 0;

/// The identifier of a pool.
pub(super) fn pool(pool: Ipv6Net) -> Vec<u8> {
    format!("{}{pool}", pools()).into_bytes()
}

/// How identifiers of pools begin.
pub(super) const fn pools() -> &'static str {
    "ipv6-sg pool "
}

/// How identifiers of a pool's free prefixes begin.
pub(super) fn free_of(pool: Ipv6Net) -> String {
    format!("ipv6-sg free {pool} ")
}

/// How those of one length begin that rest since this moment.
pub(super) fn free_since(pool: Ipv6Net, length: u8, since: i64) -> Vec<u8> {
    format!("{}/{length:03} {}", free_of(pool), moment(since)).into_bytes()
}

/// The identifier of a free prefix.
pub(super) fn free(pool: Ipv6Net, prefix: Ipv6Net, since: i64) -> Vec<u8> {
    let mut identifier = free_since(pool, prefix.prefix_len(), since);
    identifier.extend(format!(" {}", prefix.addr()).bytes());
    identifier
}

/// Since when a free prefix rests, out of its identifier, if it is one of this pool's.
pub(super) fn rests_since(pool: Ipv6Net, identifier: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(identifier).ok()?.strip_prefix(&free_of(pool))?;
    seconds(text.split(' ').nth(1)?)
}

/// A [moment](moment) in seconds since 1970.
pub(super) fn seconds(moment: &str) -> Option<i64> {
    let moment = humantime::parse_rfc3339(moment).ok()?;
    i64::try_from(moment.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// A moment as it stands in identifiers: the earlier, the smaller.
pub(super) fn moment(seconds: i64) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    // What has a year of five digits would not be in order.
    let time = SystemTime::UNIX_EPOCH.checked_add(seconds).filter(|_| seconds.as_secs() < 253_402_300_800);
    humantime::format_rfc3339_seconds(time.unwrap_or(SystemTime::UNIX_EPOCH)).to_string()
}

/// What a host's `user_context` says, which others may have written too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Context(Map<String, Value>);

impl Context {
    /// Nothing where there is none.
    ///
    /// # Errors
    /// It is no JSON object.
    pub(super) fn parse(text: &str) -> Result<Self, ()> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(text).map(Self).map_err(|_| ())
    }

    /// What is ours under a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(CONTEXT)?.get(key)?.as_str()
    }

    /// Whether anything is ours.
    pub(super) fn is_ours(&self) -> bool {
        self.0.contains_key(CONTEXT)
    }

    /// Writes something of ours.
    pub(super) fn set(&mut self, key: &str, value: Option<&str>) {
        let ours = self.0.entry(CONTEXT).or_insert_with(|| Value::Object(Map::new()));
        if !ours.is_object() {
            *ours = Value::Object(Map::new());
        }
        if let Value::Object(ours) = ours {
            match value {
                Some(value) => drop(ours.insert(key.to_owned(), value.into())),
                None => drop(ours.remove(key)),
            }
        }
    }

    /// The VM's name.
    pub(super) fn vm(&self) -> Option<&str> {
        self.get(VM)
    }

    /// Writes the VM's name.
    pub(super) fn set_vm(&mut self, vm: &str) {
        self.set(VM, Some(vm));
    }

    /// Without what is ours.
    pub(super) fn without_ours(mut self) -> Self {
        self.0.remove(CONTEXT);
        self
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it is written.
    pub(super) fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

/// What the `user_context` of a VM's host has in it somewhere, whoever has written it anew.
pub(super) fn vm_in_context(vm: &str) -> String {
    Value::from(vm).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv6Net {
        text.parse().unwrap()
    }

    #[test]
    fn identifiers_are_in_the_order_of_time() {
        let pool = net("2001:db8:f000::/40");
        let free = |prefix: &str, since| free(pool, net(prefix), since);
        let never = free("2001:db8:f0ff:fff0::/60", NEVER_USED);
        assert_eq!(
            String::from_utf8(never.clone()).unwrap(),
            "ipv6-sg free 2001:db8:f000::/40 /060 1970-01-01T00:00:00Z 2001:db8:f0ff:fff0::"
        );
        let (early, late) = (free("2001:db8:f000:10::/60", 999_999_999), free("2001:db8:f000::/60", 1_000_000_000));
        assert!(never < early && early < late);
        assert!(late < free_since(pool, 60, 1_000_000_001) && late > free_since(pool, 60, 1_000_000_000));
        assert_eq!(rests_since(pool, &late), Some(1_000_000_000));
        assert_eq!(rests_since(net("2001:db8::/40"), &late), None);
        assert_eq!(rests_since(pool, &super::pool(pool)), None);
        // Kea's columns have room for 128 bytes.
        let long = net("2001:db8:ffff:ffff::/64");
        assert!(super::free(long, net("2001:db8:ffff:ffff::/64"), 1).len() <= 128);
    }

    #[test]
    fn contexts_are_shared_with_others() {
        let mut context = Context::parse(r#"{"theirs": [1], "ipv6-sg": 7}"#).unwrap();
        let name = r#"'; DROP TABLE hosts; -- "\"#;
        context.set_vm(name);
        assert_eq!(context.vm(), Some(name));
        let text = context.text();
        assert!(text.contains(&vm_in_context(name)), "{text}");
        assert_eq!(Context::parse(&text), Ok(context.clone()));
        assert_eq!(context.without_ours().text(), r#"{"theirs":[1]}"#);
        assert!(Context::parse(" ").unwrap().is_empty());
        assert_eq!(Context::parse("[1]"), Err(()));
        assert_eq!(Context::parse("{"), Err(()));
    }
}
