//! Other releases of Kea than the system's, out of Debian's packages: the server, with all that it runs on, and the scripts that
//! make its tables. Nothing of it is installed.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{apt::Apt, sh, ui};

/// What the tests read to find the folder in which each of Debian's releases has one of its own.
pub(crate) const RELEASES: &str = "IPV6_SG_KEA_RELEASES";

/// Debian's releases whose Kea is another.
const SUITES: [&str; 2] = ["trixie", "sid"];

/// The packages that have it.
const PACKAGES: [&str; 2] = ["kea-admin", "kea-dhcp6-server"];

/// What is in the folder of a release that is there as a whole: written last.
const COMPLETE: &str = "complete";

/// Fetches them below `target`, unless they are there, and says where.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = sh::workspace().join("target/kea-releases");
    for suite in SUITES {
        let tree = folder.join(suite);
        let complete = tree.join(COMPLETE);
        if complete.exists() {
            continue;
        }
        ui::step("setup", format_args!("fetching the Kea in Debian's {suite}"));
        let apt = Apt::new(folder.join("apt").join(suite), suite)?;
        for package in apt.download_with_all(&PACKAGES)? {
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("--extract").arg(&package).arg(&tree);
            sh::run_quietly(&mut unpack, "is the disk full?")?;
        }
        // The package lists are large, and looked at only this once.
        apt.remove()?;
        fs::write(&complete, "").with_context(|| format!("cannot write {}", complete.display()))?;
    }
    Ok(folder)
}
