//! Options of neighbour discovery messages (RFC 4861 section 4.6).

use super::Frame;
use crate::verdict::Reason;

/// More options than this are refused. A router's busiest advertisement (prefixes, routes, DNS servers and search
/// lists) has fewer.
const MAX_OPTIONS: usize = 32;

const SOURCE_LINK_LAYER: u64 = 1;
const TARGET_LINK_LAYER: u64 = 2;

/// A link-layer address option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLayerOption(u64);

impl LinkLayerOption {
    /// Whether it is a source link-layer address; else it is a target link-layer address.
    #[inline(always)]
    pub const fn is_source(self) -> bool {
        self.0 >> 56 == SOURCE_LINK_LAYER
    }

    /// Whether it is as long as a MAC and holds the one with this [`number`](crate::mac::Mac::number).
    #[inline(always)]
    pub const fn holds(self, mac_number: u64) -> bool {
        self.0 & 0x00ff_ffff_ffff_ffff == (1 << 48) | mac_number
    }
}

/// Walks the options from `offset` to `end` and shows every link-layer address to `check`. Both kinds are shown wherever
/// they stand: a target address in a solicitation means nothing, and an honest guest sends none.
///
/// The loop carries nothing but its position, or the verifier would follow every combination of what was found.
///
/// # Errors
/// [`Reason::NdOptions`] for length 0, an option past the end, or too many; else what `check` says.
#[inline(always)]
pub fn walk_options<F: Frame>(
    frame: &F,
    offset: usize,
    end: usize,
    check: impl Fn(LinkLayerOption) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let mut at = offset;
    for _ in 0..MAX_OPTIONS {
        if at == end {
            return Ok(());
        }
        if at + 8 > end {
            return Err(Reason::NdOptions);
        }
        let Some([word]) = frame.words::<1>(at) else {
            return Err(Reason::NdOptions);
        };
        let word = u64::from_be(word);
        let (kind, length) = (word >> 56, (word >> 48) as usize & 0xff);
        if length == 0 {
            return Err(Reason::NdOptions);
        }
        if kind == SOURCE_LINK_LAYER || kind == TARGET_LINK_LAYER {
            check(LinkLayerOption(word))?;
        }
        at = frame.forget(at + length * 8);
    }
    if at == end { Ok(()) } else { Err(Reason::NdOptions) }
}
