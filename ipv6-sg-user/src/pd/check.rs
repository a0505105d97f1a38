//! Whether what is recorded can be: all of it is read, and compared with itself, with the settings, and with what is leased.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;
use serde::Serialize;

use super::names::{self, Context, FLEX_ID};
use super::space::Block;
use super::{PdError, Pool};
use crate::kea::reservations::{HW_ADDRESS, PREFIX, prefix};
use crate::kea::{Database, KeaError};

/// Something that cannot be, or should not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Of what kind.
    pub problem: &'static str,
    /// What it is, and whose.
    pub what: String,
}

impl Finding {
    fn new(problem: &'static str, what: impl Into<String>) -> Self {
        Self { problem, what: what.into() }
    }
}

/// A reservation of a prefix, with its host.
struct Entry {
    host_id: i64,
    kind: i64,
    identifier: Vec<u8>,
    subnet_id: Option<i64>,
    prefix: Result<Ipv6Net, String>,
}

impl Entry {
    fn mac(&self) -> Option<Mac> {
        let octets: [u8; 6] = self.identifier.clone().try_into().ok()?;
        (self.kind == HW_ADDRESS).then_some(Mac { octets })
    }

    fn whose(&self) -> String {
        match self.mac() {
            Some(mac) => format!("MAC {mac}"),
            None if self.kind == FLEX_ID => match std::str::from_utf8(&self.identifier) {
                Ok(text) => text.to_owned(),
                Err(_) => format!("host {}", self.host_id),
            },
            None => format!("host {}", self.host_id),
        }
    }
}

/// All reservations of prefixes.
pub(super) struct Table {
    entries: Vec<Entry>,
}

impl Table {
    /// Reads them.
    pub(super) async fn read(database: &mut Database) -> Result<Self, KeaError> {
        let address = database.kind().shown("r.address", database.schema().reservations);
        let statement = format!(
            "SELECT CAST(h.host_id AS {{int}}), CAST(h.dhcp_identifier_type AS {{int}}), h.dhcp_identifier, \
             CAST(COALESCE(h.dhcp6_subnet_id, -1) AS {{int}}), {address}, CAST(r.prefix_len AS {{int}}) \
             FROM ipv6_reservations r JOIN hosts h ON h.host_id = r.host_id WHERE r.type = {PREFIX}"
        );
        let mut entries = Vec::new();
        for row in database.rows(&statement, Vec::new()).await? {
            let subnet_id = Some(row.get(3)?).filter(|id| *id >= 0);
            let prefix = prefix(&row.get::<String>(4)?, row.get(5)?);
            entries.push(Entry { host_id: row.get(0)?, kind: row.get(1)?, identifier: row.get(2)?, subnet_id, prefix });
        }
        entries.sort_by_key(|entry| entry.prefix.as_ref().ok().map(|prefix| Block::from(*prefix)));
        Ok(Self { entries })
    }

    /// Without which prefixes cannot be kept apart.
    pub(super) fn overlaps_and_malformed(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        // In order, what overlaps anything before overlaps that of it which reaches farthest.
        let mut farthest: Option<(Block, &Entry)> = None;
        for entry in &self.entries {
            let block = match &entry.prefix {
                Ok(prefix) => Block::from(*prefix),
                Err(written) => {
                    findings.push(Finding::new("malformed", format!("{written:?} of {} is no prefix", entry.whose())));
                    continue;
                }
            };
            if let Some((before, owner)) = farthest.filter(|(before, _)| before.overlaps(block)) {
                let (one, other) = (block.net(), before.net());
                let what = format!("{one} of {} and {other} of {}", entry.whose(), owner.whose());
                findings.push(Finding::new("overlap", what));
            }
            if farthest.is_none_or(|(before, _)| before.last() < block.last()) {
                farthest = Some((block, entry));
            }
        }
        findings
    }
}

impl Pool {
    /// Looks for all that is wrong.
    ///
    /// # Errors
    /// The database refuses, or is away.
    pub async fn check(&mut self) -> Result<Vec<Finding>, PdError> {
        let table = Table::read(&mut self.database).await?;
        let mut findings = table.overlaps_and_malformed();
        findings.extend(self.misplaced(&table));
        findings.extend(self.hosts_amiss(&table).await?);
        for piece in self.missing_guards().await? {
            let what = format!("{} ({}); run `ipv6-sg pd init`", piece.name, piece.purpose);
            findings.push(Finding::new("not installed", what));
        }
        if self.find().await?.is_none() {
            findings.push(Finding::new("not set up", self.not_set_up().to_string()));
        }
        if self.database.schema().leases.is_some() {
            findings.extend(self.contradicting_leases(&table).await?);
        }
        findings.sort();
        findings.dedup();
        Ok(findings)
    }

    /// Prefixes where they should not be.
    fn misplaced(&self, table: &Table) -> Vec<Finding> {
        let (pool, ours) = (self.settings.pool, i64::from(self.settings.subnet_id));
        let mut findings = Vec::new();
        for entry in &table.entries {
            let (Ok(prefix), whose) = (&entry.prefix, entry.whose()) else { continue };
            let inside = pool.contains(prefix);
            if !inside && prefix.contains(&pool) {
                let what = format!("{prefix} of {whose} has all of pool {pool}: nothing of it can be given");
                findings.push(Finding::new("around the pool", what));
            } else if entry.kind == HW_ADDRESS && entry.subnet_id == Some(ours) && !inside {
                findings.push(Finding::new("outside the pool", format!("{prefix} of {whose}")));
            }
            if entry.kind == HW_ADDRESS && entry.subnet_id != Some(ours) && inside {
                let place = entry.subnet_id.map_or("no subnet".to_owned(), |id| format!("subnet {id}"));
                findings.push(Finding::new("another subnet", format!("{prefix} of {whose}, which is in {place}")));
            }
            let reserved =
                self.settings.reserved.iter().find(|reserved| Block::from(**reserved).overlaps((*prefix).into()));
            if let (Some(reserved), Some(_)) = (reserved, entry.mac()) {
                findings
                    .push(Finding::new("in a reserved part", format!("{prefix} of {whose}: {reserved} is reserved")));
            }
            let is_free = || {
                let since = names::rests_since(pool, &entry.identifier).filter(|_| entry.kind == FLEX_ID);
                since.is_some_and(|since| names::free(pool, *prefix, since) == entry.identifier)
            };
            // By another identifier than a MAC nobody is looked up.
            if entry.kind != HW_ADDRESS && inside && !is_free() {
                findings.push(Finding::new("orphan", format!("{prefix} of {whose}, which is no VM and not free")));
            }
        }
        findings
    }

    /// Hosts that have a VM's name, or are free, and have no prefix; and MACs that are hosts of several subnets.
    async fn hosts_amiss(&mut self, table: &Table) -> Result<Vec<Finding>, PdError> {
        let with_prefix: BTreeSet<_> = table.entries.iter().map(|entry| entry.host_id).collect();
        let free = names::free_of(self.settings.pool);
        let statement = format!(
            "SELECT CAST(host_id AS {{int}}), CAST(dhcp_identifier_type AS {{int}}), dhcp_identifier, \
             COALESCE(user_context, ''), CAST(COALESCE(dhcp6_subnet_id, -1) AS {{int}}) FROM hosts WHERE dhcp_identifier_type IN ({HW_ADDRESS}, {FLEX_ID})"
        );
        let mut findings = Vec::new();
        let mut subnets: BTreeMap<Mac, BTreeSet<i64>> = BTreeMap::new();
        for row in self.database.rows(&statement, Vec::new()).await? {
            let (host_id, kind, identifier): (i64, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let subnet_id: i64 = row.get(4)?;
            if let (HW_ADDRESS, 0.., Ok(octets)) = (kind, subnet_id, <[u8; 6]>::try_from(&identifier[..])) {
                subnets.entry(Mac { octets }).or_default().insert(subnet_id);
            }
            if with_prefix.contains(&host_id) {
                continue;
            }
            let vm = Context::parse(&row.get::<String>(3)?).unwrap_or_default().vm().map(ToOwned::to_owned);
            match (kind, vm) {
                (HW_ADDRESS, Some(vm)) => {
                    findings.push(Finding::new("orphan", format!("host {host_id} of VM {vm:?} has no prefix")));
                }
                (FLEX_ID, _) if identifier.starts_with(free.as_bytes()) => {
                    findings.push(Finding::new("orphan", format!("host {host_id} is free and has no prefix")));
                }
                _ => {}
            }
        }
        for (mac, subnets) in subnets.into_iter().filter(|(_, subnets)| subnets.len() > 1) {
            let subnets: Vec<_> = subnets.iter().map(ToString::to_string).collect();
            findings
                .push(Finding::new("MAC used twice", format!("{mac} is a host of subnets {}", subnets.join(" and "))));
        }
        Ok(findings)
    }

    /// Leases of prefixes of the pool that are reserved for nobody, or for another.
    async fn contradicting_leases(&mut self, table: &Table) -> Result<Vec<Finding>, PdError> {
        let reserved: BTreeMap<Ipv6Net, Option<Mac>> =
            table.entries.iter().filter_map(|entry| Some((*entry.prefix.as_ref().ok()?, entry.mac()))).collect();
        let address = self.database.kind().shown("address", self.leases()?);
        // Those that are over are on their way out.
        let statement = format!(
            "SELECT {address}, CAST(prefix_len AS {{int}}), hwaddr FROM lease6 \
             WHERE lease_type = {PREFIX} AND (state IS NULL OR state = 0)"
        );
        let mut findings = Vec::new();
        for row in self.database.rows(&statement, Vec::new()).await? {
            let Ok(prefix) = prefix(&row.get::<String>(0)?, row.get(1)?) else { continue };
            if !self.settings.pool.contains(&prefix) {
                continue;
            }
            let octets: Option<[u8; 6]> = row.get::<Option<Vec<u8>>>(2)?.and_then(|bytes| bytes.try_into().ok());
            let leased = octets.map(|octets| Mac { octets });
            match (reserved.get(&prefix).copied().flatten(), leased) {
                (None, leased) => {
                    let to = leased.map(|mac| format!(" to MAC {mac}")).unwrap_or_default();
                    findings.push(Finding::new("lease", format!("{prefix} is leased{to}, and reserved for nobody")));
                }
                (Some(owner), Some(leased)) if owner != leased => {
                    let what = format!("{prefix} is leased to MAC {leased}, and reserved for MAC {owner}");
                    findings.push(Finding::new("lease", what));
                }
                _ => {}
            }
        }
        Ok(findings)
    }
}
