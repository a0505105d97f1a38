//! `cargo xtask lint`: formatting, and clippy with warnings denied on both sides of the kernel boundary.

use std::{env, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    setup::{self, Need},
    sh,
    toolchain::{self, Toolchain},
    ui,
};

pub(crate) fn run() -> Result<()> {
    setup::ensure(&[Need::Build, Need::Lint])?;

    ui::step("lint", "formatting");
    sh::run(sh::cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` mends it")?;

    ui::step("lint", "user space, xtask and tests");
    let mut user = sh::cargo_for_all("clippy");
    sh::run(user.args(["--all-targets", "--", "--deny", "warnings"]))?;

    let toolchain = Toolchain::find().context("no compiler for the kernel program")?;
    for features in ["", "diagnostics"] {
        let with = if features.is_empty() { "" } else { ", with " };
        ui::step("lint", format_args!("the kernel program{with}{features}"));
        sh::run(kernel_clippy(toolchain).args(["--features", features, "--", "--deny", "warnings"]))?;
    }
    Ok(())
}

/// Clippy on the kernel program for its real target (for the host it is an empty `main`), with the flags and in the
/// folder of the build script's aya_build, so that what both compile is compiled once.
fn kernel_clippy(toolchain: Toolchain) -> Command {
    let mut cargo = if toolchain::has_rustup() {
        let mut rustup = Command::new("rustup");
        rustup.args(["run", toolchain.name(), "cargo"]);
        rustup
    } else {
        Command::new("cargo")
    };
    let endian = if cfg!(target_endian = "big") { "eb" } else { "el" };
    let flags = format!("--cfg=bpf_target_arch=\"{}\"\u{1f}-Cdebuginfo=2\u{1f}-Clink-arg=--btf", env::consts::ARCH);
    cargo
        .args(["clippy", "--package", "ipv6-sg-ebpf", "--bins", "--release"])
        .args(["-Z", "build-std=core", "--target"])
        .arg(format!("bpf{endian}-unknown-none"))
        .args(["--target-dir", "target/ebpf/aya-build/target/ipv6-sg-ebpf"])
        .current_dir(sh::workspace())
        .envs(toolchain.environment())
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    cargo
}
