//! One line of a table: a call, and what is to come of it.

use ipv6_sg_common::verdict::Reason;

use crate::life::Life;

/// A call.
pub struct Row {
    /// What happens on the host before it.
    pub before: fn(&Life),
    /// Its words, with one space between any two: two spaces have a word without letters between them.
    pub argv: &'static str,
    /// What the stock script exits with, and prints: as CloudStack 4's is written, where all is well with the host.
    pub stock: (i32, &'static str),
    /// What this program makes of it.
    pub ours: Ours,
    /// What holds for taps then.
    pub then: &'static [(&'static str, Holds)],
}

/// What this program makes of a call, against the stock script.
pub enum Ours {
    /// It exits with the same and prints the same.
    Same,
    /// It exits with this and prints that, or what holds then is something else.
    Better { exits: (i32, &'static str), because: &'static str },
}

/// What a tap lets pass.
pub enum Holds {
    /// Everything: it is nobody's yet, or not to be filtered.
    Open,
    /// Nothing: nobody has said whose it is.
    Closed,
    /// What is its VM's.
    Guarded {
        /// Into these of the [ports](crate::life::PORTS) and no others.
        open: &'static [u16],
        /// What becomes of what it sends from its own address.
        own: Reason,
        /// And from [this](crate::life::FURTHER) one.
        further: Reason,
    },
    /// It is gone, and nothing is left of it.
    Gone,
}

impl Row {
    /// One that is done as the stock script does it.
    pub const fn same(argv: &'static str, out: &'static str, then: &'static [(&'static str, Holds)]) -> Self {
        Self { before: |_| {}, argv, stock: (0, out), ours: Ours::Same, then }
    }

    /// One that is done, and more by it than by the stock script.
    pub const fn better(
        argv: &'static str,
        because: &'static str,
        stock: &'static str,
        out: &'static str,
        then: &'static [(&'static str, Holds)],
    ) -> Self {
        Self { before: |_| {}, argv, stock: (0, stock), ours: Ours::Better { exits: (0, out), because }, then }
    }

    /// One before which something happens on the host.
    pub const fn after(mut self, before: fn(&Life)) -> Self {
        self.before = before;
        self
    }
}

impl Holds {
    /// A tap that lets in what comes to these ports; its VM may send from its own address alone.
    pub const fn into(open: &'static [u16]) -> Self {
        Self::Guarded { open, own: Reason::Allowed, further: Reason::SourcePrivacy }
    }
}
