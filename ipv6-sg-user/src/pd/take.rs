//! Where the next prefix is found. What nobody ever had comes first, and then what rests for the longest time: an address is
//! another VM's as late as can be.
//!
//! Each step is a few look-ups in an index, however full the pool is, but for the last: when the pool has no other prefix, it is
//! gone through in order, from where that ended last, for gaps that others have left.

use super::free::Free;
use super::names::NEVER_USED;
use super::pool::Locked;
use super::space::{Block, blocks};
use super::walk::Gap;
use super::{PdError, Pool};

impl Pool {
    /// Gives a prefix of this length to a host.
    pub(super) async fn take(&mut self, locked: &mut Locked, length: u8, host_id: i64) -> Result<Block, PdError> {
        let ripe = locked.now.saturating_sub(self.rest());
        if let Some(free) = self.usable_free(length, NEVER_USED, NEVER_USED).await? {
            return self.take_free(free, length, host_id).await;
        }
        if let Some(from) = locked.next
            && let Some(gap) = self.first_gap(from, length, None).await?
        {
            self.keep_what_is_before(gap).await?;
            self.reserve(gap.block, host_id).await?;
            let end = self.block().last();
            locked.next = gap.block.after().filter(|next| *next <= end);
            return Ok(gap.block);
        }
        for larger in (self.settings.pool.prefix_len()..=length).rev() {
            if let Some(free) = self.usable_free(larger, NEVER_USED, ripe).await? {
                return self.take_free(free, length, host_id).await;
            }
        }
        match self.sweep(locked, length, ripe).await? {
            Some(block) => {
                self.reserve(block, host_id).await?;
                Ok(block)
            }
            None => {
                let resting = self.resting(length, locked.now).await?;
                Err(PdError::Exhausted { pool: self.settings.pool, length, resting })
            }
        }
    }

    /// A free prefix that has nothing of what is reserved by now. What has is forgotten.
    async fn usable_free(&mut self, length: u8, least: i64, most: i64) -> Result<Option<Free>, PdError> {
        while let Some(free) = self.longest_free(length, least, most).await? {
            let reserved = self.settings.reserved.iter().any(|prefix| Block::from(*prefix).overlaps(free.block));
            if !reserved {
                return Ok(Some(free));
            }
            self.drop_free(free.host_id).await?;
        }
        Ok(None)
    }

    /// Takes the beginning of a free prefix; what is left of it stays free.
    async fn take_free(&mut self, free: Free, length: u8, host_id: i64) -> Result<Block, PdError> {
        self.hand_over(free.reservation_id, length, host_id).await?;
        self.drop_free(free.host_id).await?;
        for left in free.block.rest_without_first(length) {
            self.write_free(left, free.since).await?;
        }
        Ok(Block { length, ..free.block })
    }

    /// What lies between the beginning of a gap and the block that is taken of it, because that is aligned.
    async fn keep_what_is_before(&mut self, gap: Gap) -> Result<(), PdError> {
        for left in blocks(gap.begins, gap.block.first) {
            let reserved = self.settings.reserved.iter().any(|prefix| Block::from(*prefix).overlaps(left));
            if !reserved {
                self.write_free(left, NEVER_USED).await?;
            }
        }
        Ok(())
    }

    /// A gap that somebody has left, or that several prefixes make up which have rested long enough.
    async fn sweep(&mut self, locked: &mut Locked, length: u8, ripe: i64) -> Result<Option<Block>, PdError> {
        let pool = self.block();
        let mut gap = self.first_gap(locked.swept, length, Some(ripe)).await?;
        if gap.is_none() && locked.swept > pool.first {
            gap = self.first_gap(pool.first, length, Some(ripe)).await?;
        }
        let Some(Gap { block, .. }) = gap else { return Ok(None) };
        self.drop_all_free_in(block).await?;
        locked.swept = block.after().filter(|after| *after <= pool.last()).unwrap_or(pool.first);
        Ok(Some(block))
    }
}
