//! Releases of Kea, by the scripts that make their tables.

use std::env;
use std::path::PathBuf;

/// Names the folder in which `cargo xtask test pd` has put the scripts of releases that this system's Kea is not.
const SCHEMAS: &str = "IPV6_SG_KEA_SCHEMAS";

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The system's: addresses are text.
    Kea2_2,
    /// Addresses are of the database's own type.
    Kea2_6,
    /// Reservations have further columns.
    Kea3_0,
}

impl Release {
    /// From the oldest to the newest.
    pub const ALL: [Self; 3] = [Self::Kea2_2, Self::Kea2_6, Self::Kea3_0];

    /// The scripts, as `kea-admin` takes them.
    pub(super) fn scripts(self) -> PathBuf {
        let suite = match self {
            Self::Kea2_2 => return "/usr/share/kea/scripts".into(),
            Self::Kea2_6 => "trixie",
            Self::Kea3_0 => "sid",
        };
        let folder = env::var_os(SCHEMAS);
        let folder = folder.unwrap_or_else(|| panic!("{SCHEMAS} names no scripts: run `cargo xtask test pd`"));
        PathBuf::from(folder).join(suite).join("usr/share/kea/scripts")
    }
}
