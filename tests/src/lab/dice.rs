//! Numbers that look like chance and are the same in each run.

/// Where the next number comes from.
pub struct Dice(u64);

impl Dice {
    /// Others for each seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `sides`.
    pub const fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
