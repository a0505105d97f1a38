//! What Kea has to be told so that a VM has its prefixes, and keeps them: a configuration to begin with, or what is wrong with one.
//! Written for Kea 2.2 to 3.0.

mod check;
mod comments;
mod print;

use clap::ValueEnum;

pub use check::{Fault, check};
pub use print::{Place, print};

/// How the relay says which MAC asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Relay {
    /// Remote-ID: option 37, RFC 4649
    #[default]
    RemoteId,
    /// Client Link-Layer Address: option 79, RFC 6939
    ClientLinkAddr,
}

impl Relay {
    /// The option's number.
    const fn option(self) -> u8 {
        match self {
            Self::RemoteId => 37,
            Self::ClientLinkAddr => 79,
        }
    }

    /// Kea's names of it as a source of MACs, the one to write first.
    const fn sources(self) -> [&'static str; 2] {
        match self {
            Self::RemoteId => ["remote-id", "rfc4649"],
            Self::ClientLinkAddr => ["client-link-addr-option", "rfc6939"],
        }
    }

    /// What Kea drops: what no relay says the MAC of, and what more than one has relayed, the inner of which a VM can be.
    fn drop_test(self) -> String {
        format!("not relay6[0].option[{}].exists or not (relay6[1].peeraddr == '')", self.option())
    }
}

/// A release of Kea, by what its configuration looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Release {
    /// Kea 2.2 and 2.4
    #[value(name = "2.2", alias = "2.4")]
    Kea2_2,
    /// Kea 2.6
    #[value(name = "2.6")]
    #[default]
    Kea2_6,
    /// Kea 3
    #[value(name = "3", aliases = ["3.0", "3.2"])]
    Kea3,
}

#[cfg(test)]
mod tests;
