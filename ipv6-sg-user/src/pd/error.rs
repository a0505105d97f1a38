//! Why a prefix is not given, or not taken back. One line that says how to mend it.

use ipnet::Ipv6Net;
use ipv6_sg_common::mac::Mac;

use crate::kea::KeaError;

/// What is refused. Nothing of it is written then.
#[derive(Debug, thiserror::Error)]
pub enum PdError {
    /// The database.
    #[error(transparent)]
    Kea(#[from] KeaError),
    /// No such pool there.
    #[error("pool {pool} is not set up for subnet {subnet_id} in this database; run `ipv6-sg pd init`")]
    NotSetUp {
        /// The pool.
        pool: Ipv6Net,
        /// Kea's subnet.
        subnet_id: u32,
    },
    /// Another pool has these addresses.
    #[error(
        "pool {pool} overlaps {other}, which is set up in this database already; write that one, or one that has all of it, for the same subnet"
    )]
    OtherPool {
        /// The pool of the settings.
        pool: Ipv6Net,
        /// The one that is there.
        other: String,
    },
    /// What is there already cannot be kept apart.
    #[error(
        "{count} of the reservations in this database overlap or are malformed: {first}; `ipv6-sg pd check` lists them"
    )]
    Unsound {
        /// How many.
        count: usize,
        /// The first of them.
        first: String,
    },
    /// Nothing is left.
    #[error("pool {pool} has no /{length} left{resting}; release some, shorten pd.rest, or widen the pool")]
    Exhausted {
        /// The pool.
        pool: Ipv6Net,
        /// What was wanted.
        length: u8,
        /// What will be free again.
        resting: Resting,
    },
    /// A length that cannot be.
    #[error("a /{length} out of pool {pool}: out of bounds; ask for a length from {} to 64", pool.prefix_len())]
    Length {
        /// The pool.
        pool: Ipv6Net,
        /// What was wanted.
        length: u8,
    },
    /// Kea would serve this MAC in two places.
    #[error(
        "MAC {mac} is a host of Kea's subnet {other} too, and [pd] is for subnet {subnet_id}: used twice; \
         give each VM its own, or delete that host"
    )]
    MacTwice {
        /// The MAC.
        mac: Mac,
        /// Kea's other subnet.
        other: i64,
        /// Ours.
        subnet_id: u32,
    },
    /// It is another VM's.
    #[error("MAC {mac} is VM {recorded:?}'s, not VM {given:?}'s; release it first: `ipv6-sg pd release --mac {mac}`")]
    OtherVm {
        /// The MAC.
        mac: Mac,
        /// Whose it is.
        recorded: String,
        /// Whose it is said to be.
        given: String,
    },
    /// Nothing to take back.
    #[error("{whose} has no prefix{which} in pool {pool}; `ipv6-sg pd list` lists those that have")]
    NothingReserved {
        /// The VM or the MAC.
        whose: String,
        /// Which one, where one was named.
        which: String,
        /// The pool.
        pool: Ipv6Net,
    },
    /// More than one VM could have.
    #[error("{0} prefixes for one VM: out of bounds; ask for 1 to 256")]
    Count(u32),
    /// What others have written there.
    #[error("the user_context of host {host_id} is no JSON object; mend it, Kea cannot read it either")]
    Context {
        /// Its number.
        host_id: i64,
    },
}

/// Prefixes that were released not long ago.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resting {
    /// How many.
    pub count: i64,
    /// When the first of them may be given again.
    pub until: String,
}

impl std::fmt::Display for Resting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.count {
            0 => Ok(()),
            count => write!(f, ", and {count} that rest, the first until {}", self.until),
        }
    }
}
