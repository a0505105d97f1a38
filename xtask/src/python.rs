//! A Python of the tests' own, with what Debian has no package of.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{sh, ui};

/// What the tests read to find it.
pub(crate) const VARIABLE: &str = "IPV6_SG_PYTHON";

/// CloudStack's public client, from PyPI.
const CLIENT: (&str, &str) = ("cs", "5.2.0");

/// Makes it below `target`, if it is not there, and says where.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = sh::workspace().join("target/python");
    let python = folder.join("bin/python3");
    let (name, version) = CLIENT;
    let ask = format!("from importlib.metadata import version; print(version({name:?}))");
    if sh::output(Command::new(&python).args(["-c", &ask])).is_none_or(|found| found.trim() != version) {
        ui::step("setup", format_args!("installing {name} {version}: CloudStack's public client, for tests alone"));
        let remedy = "it takes PyPI, or a mirror of it that pip is told of";
        sh::run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), remedy)?;
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        sh::run_quietly(Command::new(&python).args(install).arg(format!("{name}=={version}")), remedy)?;
    }
    Ok(python)
}
