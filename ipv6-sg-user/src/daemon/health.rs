//! Whether those who are asked answered when they were asked last.

/// By source; `None` for one that is not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) cloudstack: Option<bool>,
    pub(super) kea: Option<bool>,
}

impl Health {
    /// Those that are asked, by name.
    pub(super) fn sources(self) -> impl Iterator<Item = (&'static str, bool)> {
        let Self { cloudstack, kea } = self;
        [("cloudstack", cloudstack), ("kea", kea)].into_iter().filter_map(|(name, answers)| Some((name, answers?)))
    }
}
