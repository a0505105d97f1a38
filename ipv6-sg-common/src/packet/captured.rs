//! The beginning of a frame: what a capture or a drop event holds of it.

use super::{Bytes, Frame, Offload};

/// A frame of which only the first bytes are at hand. Reading past them is like reading past the end, but the length
/// is the whole frame's, so that lengths inside it still make sense.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    beginning: Bytes<'a>,
    length: usize,
}

impl<'a> Captured<'a> {
    /// The first bytes of a frame of `length` bytes; never shorter than what is at hand.
    pub fn new(beginning: Bytes<'a>, length: usize) -> Self {
        Self { beginning, length: length.max(beginning.bytes.len()) }
    }

    /// How many bytes are missing.
    pub fn missing(&self) -> usize {
        self.length.saturating_sub(self.beginning.bytes.len())
    }
}

impl Frame for Captured<'_> {
    fn length(&self) -> usize {
        self.length
    }

    fn tagged_beside(&self) -> bool {
        self.beginning.tagged_beside
    }

    fn offload(&self) -> Offload {
        self.beginning.offload
    }

    fn words<const N: usize>(&self, offset: usize) -> Option<[u64; N]> {
        self.beginning.words(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_the_whole_frames_and_the_bytes_are_those_at_hand() {
        let frame = Captured::new(Bytes::new(&[7; 16]), 1514);
        assert_eq!((frame.length(), frame.missing()), (1514, 1498));
        assert!(frame.words::<2>(0).is_some() && frame.words::<1>(9).is_none());
        let whole = Captured::new(Bytes::new(&[7; 16]), 3);
        assert_eq!((whole.length(), whole.missing()), (16, 0));
    }
}
