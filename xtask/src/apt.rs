//! Packages of other Debian releases, from the mirror that the system uses. The system's own lists, cache and choice of
//! releases stay as they are: all of that is in a folder of whoever asks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::sh;

/// What Debian signs its releases with.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One release, with lists and downloads in a folder of its own.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Fetches the release's lists.
    pub(crate) fn new(folder: PathBuf, release: &str) -> Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial", "packages"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot create {}", part.display()))?;
        }
        let apt = Self { folder };
        apt.write("sources.list", &format!("deb [signed-by={KEYS}] {} {release} main\n", mirror()?))?;
        apt.write("state/status", "")?;
        sh::run_quietly(apt.command("apt-get").arg("update"), "does the system's own `apt-get update` work?")?;
        Ok(apt)
    }

    /// The packages that a package depends on; of alternatives the first.
    pub(crate) fn depends(&self, package: &str) -> Result<Vec<String>> {
        let fields = sh::output(self.command("apt-cache").args(["show", "--no-all-versions", package]));
        let fields = fields.with_context(|| format!("Debian has no package {package} any more"))?;
        Ok(first_alternatives(&fields))
    }

    /// Downloads packages; the files.
    pub(crate) fn download(&self, packages: &[String]) -> Result<Vec<PathBuf>> {
        let into = self.folder.join("packages");
        let mut download = self.command("apt-get");
        // In a folder of root's, which apt's own user may not write to.
        download.args(["-o", "APT::Sandbox::User=root", "download"]).args(packages).current_dir(&into);
        sh::run_quietly(&mut download, "is the mirror reachable?")?;
        packages_in(&into)
    }

    /// Downloads packages and all that they depend on, down to the C library: nothing of the system's counts; the files.
    pub(crate) fn download_with_all(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let mut download = self.command("apt-get");
        download.args(["-o", "APT::Sandbox::User=root", "install", "--yes", "--download-only"]);
        download.arg("--no-install-recommends").args(packages);
        sh::run_quietly(&mut download, "is the mirror reachable?")?;
        packages_in(&self.folder.join("cache/archives"))
    }

    /// Removes lists and downloads.
    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// One of apt's programs. How the system reaches the network (a proxy, say) is left as it is set there.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let at = |path: &str| self.folder.join(path).display().to_string();
        for (key, value) in [
            ("Dir::Etc::SourceList", at("sources.list")),
            ("Dir::Etc::SourceParts", at("none")),
            ("Dir::State", at("state")),
            ("Dir::State::Status", at("state/status")),
            ("Dir::Cache", at("cache")),
            ("Acquire::Languages", "none".to_owned()),
            ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".to_owned()),
        ] {
            command.arg("-o").arg(format!("{key}={value}"));
        }
        command
    }
}

/// The packages in a folder of downloads.
fn packages_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot_read = || format!("cannot read {}", folder.display());
    let mut packages = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        if path.extension().is_some_and(|kind| kind == "deb") {
            packages.push(path);
        }
    }
    Ok(packages)
}

/// The address of Debian's archive in the system's sources.
fn mirror() -> Result<String> {
    let mut ask = Command::new("apt-get");
    ask.args(["indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Origin: Debian", "Label: Debian"]);
    let addresses = sh::output(&mut ask).unwrap_or_default();
    match addresses.lines().next() {
        Some(address) => Ok(address.to_owned()),
        None => {
            bail!("apt's sources name no mirror of Debian, whose packages are used; add one and run `apt-get update`")
        }
    }
}

/// The names in the Depends field of a package's description.
fn first_alternatives(fields: &str) -> Vec<String> {
    let depends = fields.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
    let first_word = |text: &str| text.split_whitespace().next().map(ToOwned::to_owned);
    depends.split(',').filter_map(first_word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_names_without_versions_and_alternatives() {
        let fields =
            "Package: a\nDepends: dracut | initramfs-tools (>= 0.120), linux-binary-7 (= 7.2-1), kmod\nSize: 1\n";
        assert_eq!(first_alternatives(fields), ["dracut", "linux-binary-7", "kmod"]);
        assert_eq!(first_alternatives("Package: a\n"), [""; 0]);
    }
}
