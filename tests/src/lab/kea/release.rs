//! Releases of Kea: the system's own, and others that `cargo xtask test` has unpacked.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder in which `cargo xtask test` has put the releases that this system's Kea is not.
const RELEASES: &str = "IPV6_SG_KEA_RELEASES";

/// Where Debian has libraries.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The system's: addresses are text.
    Kea2_2,
    /// Addresses are of the database's own type.
    Kea2_6,
    /// Reservations have further columns, and databases are hooks.
    Kea3_0,
}

impl Release {
    /// From the oldest to the newest.
    pub const ALL: [Self; 3] = [Self::Kea2_2, Self::Kea2_6, Self::Kea3_0];

    /// As it is written.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Kea2_2 => "2.2",
            Self::Kea2_6 => "2.6",
            Self::Kea3_0 => "3.0",
        }
    }

    /// The scripts, as `kea-admin` takes them.
    pub(super) fn scripts(self) -> PathBuf {
        self.tree().unwrap_or_else(|| "/".into()).join("usr/share/kea/scripts")
    }

    /// The DHCPv6 server, made a command by `command` out of a program. It writes below `folder` alone.
    pub fn server(self, folder: &Path, command: impl FnOnce(OsString) -> Command) -> Command {
        let mut server = match self.tree() {
            None => command("kea-dhcp6".into()),
            // Another release's libraries are not the system's, down to the one that loads them.
            Some(tree) => {
                let libraries = tree.join(LIBRARIES);
                let mut path = libraries.clone().into_os_string();
                path.push(":");
                path.push(libraries.join("kea"));
                let mut server = command(tree.join("usr/lib64/ld-linux-x86-64.so.2").into());
                server.arg("--library-path").arg(path).arg(tree.join("usr/sbin/kea-dhcp6"));
                server.env("KEA_HOOKS_PATH", libraries.join("kea/hooks"));
                server
            }
        };
        server.env("KEA_PIDFILE_DIR", folder).env("KEA_LOCKFILE_DIR", folder);
        server
    }

    /// Where it was unpacked; nowhere, if it is the system's.
    fn tree(self) -> Option<PathBuf> {
        let suite = match self {
            Self::Kea2_2 => return None,
            Self::Kea2_6 => "trixie",
            Self::Kea3_0 => "sid",
        };
        let folder = env::var_os(RELEASES);
        let folder = folder.unwrap_or_else(|| panic!("{RELEASES} names no releases: run `cargo xtask test pd`"));
        Some(PathBuf::from(folder).join(suite))
    }
}
