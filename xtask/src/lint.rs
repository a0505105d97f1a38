//! `cargo xtask lint`: formatting, and clippy with warnings denied on both sides of the kernel boundary.

use std::process::Command;

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
    let mut user = sh::cargo();
    user.args(["clippy", "--workspace", "--exclude", "ipv6-sg-ebpf"]);
    sh::run(user.args(["--all-targets", "--", "--deny", "warnings"]))?;

    let toolchain = Toolchain::find().context("no compiler for the kernel program")?;
    for features in ["", "diagnostics"] {
        let with = if features.is_empty() { "" } else { ", with " };
        ui::step("lint", format_args!("the kernel program{with}{features}"));
        sh::run(kernel_clippy(toolchain).args([
            "--features",
            features,
            "--",
            "--deny",
            "warnings",
        ]))?;
    }
    Ok(())
}

/// Clippy on the kernel program as aya_build compiles it: for the host the crate is an empty `main`.
fn kernel_clippy(toolchain: Toolchain) -> Command {
    let mut cargo = if toolchain::has_rustup() {
        let mut rustup = Command::new("rustup");
        rustup.args(["run", toolchain.name(), "cargo"]);
        rustup
    } else {
        Command::new("cargo")
    };
    let target = if cfg!(target_endian = "big") {
        "bpfeb-unknown-none"
    } else {
        "bpfel-unknown-none"
    };
    cargo
        .args([
            "clippy",
            "--package",
            "ipv6-sg-ebpf",
            "--bins",
            "--release",
            "--target",
            target,
        ])
        .args(["-Z", "build-std=core", "--target-dir", "target/lint-ebpf"])
        .current_dir(sh::workspace())
        .envs(toolchain.environment())
        .env(
            "RUSTFLAGS",
            format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH),
        )
        // Set by the cargo that runs this program, and meant for its own toolchain.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    cargo
}
