//! Going through what is reserved, in the order of addresses, a page at a time: how gaps are found.

use std::net::Ipv6Addr;

use super::names;
use super::space::{Block, fit};
use super::{PdError, Pool};
use crate::kea::reservations::prefix;
use crate::kea::{Kind, Value};

/// Rows of the first page, which most often is enough, and of those after it.
const FIRST_PAGE: usize = 4;
const PAGE: usize = 1024;

/// A reservation, and since when it rests if it is a free prefix of this pool's.
struct Reserved {
    host_id: i64,
    block: Block,
    rests_since: Option<i64>,
}

/// A block that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// It.
    pub(super) block: Block,
    /// Where the gap begins that it is in.
    pub(super) begins: u128,
}

impl Pool {
    /// The first block of this length from `from` on that nobody has. What has rested since `ripe` or longer counts as nobody's.
    pub(super) async fn first_gap(
        &mut self,
        from: u128,
        length: u8,
        ripe: Option<i64>,
    ) -> Result<Option<Gap>, PdError> {
        let pool = self.block();
        let mut reserved: Vec<Block> = self.settings.reserved.iter().map(|prefix| Block::from(*prefix)).collect();
        reserved.sort();
        let (mut at, mut position, mut size) = (from, from, FIRST_PAGE);
        loop {
            let page = self.page(position, size).await?;
            let more = page.len() >= size;
            for Reserved { block, rests_since, .. } in page {
                let is_ripe = ripe.is_some_and(|ripe| rests_since.is_some_and(|since| since <= ripe));
                if !is_ripe && block.last() >= at {
                    // What begins beyond the pool ends none of its gaps: the pool does.
                    let end = if block.first > pool.last() { pool.after() } else { Some(block.first) };
                    if let Some(block) = fit(at, end, length, &reserved) {
                        return Ok(Some(Gap { block, begins: at }));
                    }
                    let Some(after) = block.after().filter(|after| *after <= pool.last()) else { return Ok(None) };
                    at = after;
                }
                position = block.last();
            }
            if !more || position >= pool.last() {
                let block = fit(at, pool.after(), length, &reserved);
                return Ok(block.map(|block| Gap { block, begins: at }));
            }
            size = PAGE;
        }
    }

    /// Removes what is free in a block, which is then nobody's.
    pub(super) async fn drop_all_free_in(&mut self, within: Block) -> Result<(), PdError> {
        let mut from = within.first;
        loop {
            let page = self.page(from, PAGE).await?;
            let more = page.len() >= PAGE;
            for Reserved { host_id, block, rests_since } in page {
                if block.first > within.last() {
                    return Ok(());
                }
                from = block.last();
                if rests_since.is_some() && within.contains(block) {
                    self.drop_free(host_id).await?;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// The reservation that has `from` in it, and those after it; that many of the latter at most.
    async fn page(&mut self, from: u128, size: usize) -> Result<Vec<Reserved>, PdError> {
        let from = Ipv6Addr::from_bits(from).to_string();
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let mut page = Vec::new();
        for (before, limit) in [(true, 1), (false, size)] {
            let statement = self.in_order(before);
            for row in self.database.rows(&statement, vec![from.clone().into(), Value::Integer(limit)]).await? {
                // What is malformed cannot be written any more, and what was before is none of the pool's.
                let Ok(prefix) = prefix(&row.get::<String>(0)?, row.get(1)?) else { continue };
                let rests_since = names::rests_since(self.settings.pool, &row.get::<Vec<u8>>(2)?);
                page.push(Reserved { host_id: row.get(3)?, block: prefix.into(), rests_since });
            }
        }
        Ok(page)
    }

    /// The statement for prefixes that begin up to an address, the last first, or after it, the first first.
    fn in_order(&self, before: bool) -> String {
        let kind = self.database.kind();
        let address = kind.shown("r.address", self.database.schema().reservations);
        let columns =
            format!("{address}, CAST(r.prefix_len AS {{int}}), h.dhcp_identifier, CAST(h.host_id AS {{int}})");
        let (compare, order) = if before { ("<=", "DESC") } else { (">", "ASC") };
        match kind {
            Kind::Postgres => {
                let prefix = "network(set_masklen(r.address::inet, r.prefix_len::int))";
                format!(
                    "SELECT {columns} FROM ipv6_reservations r JOIN hosts h ON h.host_id = r.host_id \
                     WHERE r.type = 2 AND {prefix} {compare} CAST(CAST(? AS TEXT) AS INET) \
                     ORDER BY {prefix} {order} LIMIT ?"
                )
            }
            Kind::Mysql => format!(
                "SELECT {columns} FROM ipv6_sg_prefixes p STRAIGHT_JOIN ipv6_reservations r \
                 ON r.reservation_id = p.reservation_id STRAIGHT_JOIN hosts h ON h.host_id = r.host_id \
                 WHERE p.first_address {compare} INET6_ATON(?) ORDER BY p.first_address {order} LIMIT ?"
            ),
        }
    }
}
