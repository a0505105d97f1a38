//! The middle of what was measured again and again: what a busy moment cannot move.

use std::cmp::Ordering;

/// The middle one; nothing of nothing.
pub fn middle<T: PartialOrd + Copy + Default>(mut measured: Vec<T>) -> T {
    measured.sort_by(|one, other| one.partial_cmp(other).unwrap_or(Ordering::Equal));
    measured.get(measured.len() / 2).copied().unwrap_or_default()
}
