//! Numbers one after the other, so that each rests for long before it is used again.

/// Where to look for the next number. The first and the last of all are left out: they mean nothing and everything.
#[derive(Debug)]
pub(super) struct Next(u32);

impl Next {
    /// On from this one.
    pub(super) const fn after(last: u32) -> Self {
        Self(if last >= u32::MAX - 1 { 1 } else { last + 1 })
    }

    /// Goes on beyond a number that was found in use.
    pub(super) const fn pass(&mut self, used: u32) {
        if used >= self.0 {
            *self = Self::after(used);
        }
    }

    /// The next number that is not taken. There must be one.
    pub(super) fn take(&mut self, taken: impl Fn(u32) -> bool) -> u32 {
        loop {
            let number = self.0;
            *self = Self::after(number);
            if !taken(number) {
                return number;
            }
        }
    }
}
