//! Options of neighbour discovery messages (RFC 4861 section 4.6).

use super::Frame;
use crate::mac::Mac;
use crate::verdict::Reason;

/// More options than this are refused. A router's busiest advertisement (prefixes, routes, DNS servers and search
/// lists) has fewer.
const MAX_OPTIONS: usize = 32;

const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;

/// What the link-layer address options of a message said, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkLayerOptions {
    /// There is a source link-layer address.
    pub source: bool,
    /// A source or target link-layer address is not the expected MAC, or not the length of one.
    pub foreign: bool,
}

/// Walks the options from `offset` to `end` and compares every link-layer address with `mac`. Both kinds are compared
/// wherever they stand: a target address in a solicitation means nothing, and an honest guest sends none.
///
/// # Errors
/// [`Reason::NdOptions`] for length 0, an option past the end, or too many.
#[inline(always)]
pub fn link_layer_options<F: Frame>(
    frame: &F,
    offset: usize,
    end: usize,
    mac: Mac,
) -> Result<LinkLayerOptions, Reason> {
    let mut found = LinkLayerOptions::default();
    let mut at = offset;
    let mut count = 0;
    while at < end {
        if count == MAX_OPTIONS || at + 8 > end {
            return Err(Reason::NdOptions);
        }
        count += 1;
        let Some([word]) = frame.words::<1>(at) else {
            return Err(Reason::NdOptions);
        };
        let [kind, length, a, b, c, d, e, f] = word.to_ne_bytes();
        if length == 0 {
            return Err(Reason::NdOptions);
        }
        if kind == SOURCE_LINK_LAYER || kind == TARGET_LINK_LAYER {
            found.source |= kind == SOURCE_LINK_LAYER;
            found.foreign |= length != 1 || !mac.starts(u64::from_ne_bytes([a, b, c, d, e, f, 0, 0]));
        }
        at += usize::from(length) * 8;
    }
    if at == end { Ok(found) } else { Err(Reason::NdOptions) }
}
