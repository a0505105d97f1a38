//! `cargo xtask dist`: the Debian package.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    build,
    setup::{self, Need},
    sh, ui,
};

/// What the tests of the package read to find the [packages](for_tests).
pub(crate) const PACKAGES: &str = "IPV6_SG_PACKAGES";

/// What the binary prints and the package contains: the words that ask for it, and where `ipv6-sg-user/Cargo.toml` finds it.
const PRINTED: [(&[&str], &str); 4] = [
    (&["man"], "ipv6-sg.8"),
    (&["completions", "bash"], "ipv6-sg.bash"),
    (&["completions", "zsh"], "ipv6-sg.zsh"),
    (&["completions", "fish"], "ipv6-sg.fish"),
];

pub(crate) fn run() -> Result<()> {
    setup::ensure(&[Need::Build, Need::Dist])?;
    build::run()?;
    let folder = folder()?;
    stage(&folder, "release")?;
    ui::step("dist", "the Debian package");
    // It says which file it has made.
    sh::run(cargo_deb().arg("--output").arg(&folder))
}

/// Packages of the binary that tests run, one of a higher version than the other: `older.deb` and `newer.deb` in this folder.
pub(crate) fn for_tests() -> Result<PathBuf> {
    ui::step("dist", "packages for the tests");
    let folder = folder()?;
    stage(&folder, "debug")?;
    for (name, version) in [("older", "0.1"), ("newer", "0.2")] {
        let mut cargo = cargo_deb();
        cargo.args(["--fast", "--deb-version", version, "--output"]);
        sh::run_quietly(cargo.arg(folder.join(format!("{name}.deb"))), "mend what it says above")?;
    }
    Ok(folder)
}

fn folder() -> Result<PathBuf> {
    let folder = sh::workspace().join("target/dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Puts what was built where the package is made of it.
fn stage(folder: &Path, profile: &str) -> Result<()> {
    let built = sh::workspace().join("target").join(profile).join("ipv6-sg");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(folder.join("ipv6-sg")).arg(&built);
    sh::run_quietly(&mut strip, "it is in Debian's package binutils")?;
    for (words, name) in PRINTED {
        let mut verb = Command::new(&built);
        let text = sh::output(verb.args(words)).with_context(|| format!("`ipv6-sg {}` failed", words.join(" ")))?;
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What makes a package of what is there. It would warn that cargo does not build it.
fn cargo_deb() -> Command {
    let mut cargo = sh::cargo();
    cargo.args(["deb", "--package", "ipv6-sg-user", "--no-build", "--quiet"]);
    cargo
}
