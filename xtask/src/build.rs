//! `cargo xtask build`: the release, one file.

use anyhow::Result;

use crate::{
    setup::{self, Need},
    sh, ui,
};

pub(crate) fn run() -> Result<()> {
    setup::ensure(&[Need::Build])?;
    ui::step("build", "target/release/ipv6-sg");
    sh::run(sh::cargo().args(["build", "--release", "--package", "ipv6-sg-user"]))
}
