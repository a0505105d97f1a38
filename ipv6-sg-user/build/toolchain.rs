//! Which compiler builds the kernel program. Shared by the build script, which uses it, and by `cargo xtask`, which
//! installs it and lints with it.
//!
//! `core` has to be compiled for the BPF target, so the sources of the standard library must be those of the very
//! rustc that compiles. A rustup nightly has them when its `rust-src` component is installed; where rustup can fetch
//! no component, Debian packages a stable rustc together with its sources.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The LLVM that bpf-linker is built with. It reads the bitcode of this and of older releases, never of newer ones.
pub(crate) const LLVM_MAJOR: u32 = 22;

/// Where Debian's packages put a toolchain.
const DEBIAN: &str = "/usr";

/// A compiler that can build for the BPF target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// rustup's `nightly` with `rust-src`.
    Nightly,
    /// Debian's `rustc-web`, `cargo-web` and `rust-web-src`, run by way of rustup when it is there.
    Debian,
}

impl Toolchain {
    /// The first that is usable here.
    pub(crate) fn find() -> Option<Self> {
        let nightly = || {
            let mut rustup = Command::new("rustup");
            rustup.args(["run", Self::Nightly.name(), "rustc"]);
            rustup
        };
        let debian = || Command::new(Path::new(DEBIAN).join("bin/rustc"));
        usable(nightly).then_some(Self::Nightly).or_else(|| usable(debian).then_some(Self::Debian))
    }

    /// What `rustup run` knows it by; a path is as good as a name, and needs no `rustup toolchain link`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nightly => "nightly",
            Self::Debian => DEBIAN,
        }
    }

    /// What its cargo must be started with: a `PATH` that finds it and its linker, and on a stable rustc the unstable
    /// features that the BPF target takes.
    pub(crate) fn environment(self) -> Vec<(&'static str, OsString)> {
        match self {
            Self::Nightly => vec![("PATH", path(None))],
            Self::Debian => {
                // A cargo that is not run by way of rustup is the first in PATH.
                let first = (!has_rustup()).then(|| Path::new(DEBIAN).join("bin"));
                vec![("PATH", path(first)), ("RUSTC_BOOTSTRAP", "1".into())]
            }
        }
    }
}

/// `PATH` with `first` before it, and behind it the folder of programs that `cargo install` puts there.
pub(crate) fn path(first: Option<PathBuf>) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let folders = first.into_iter().chain(env::split_paths(&path)).chain(cargo.map(|home| home.join("bin")));
    // Only a colon inside a folder's name fails to join; then PATH stays as it is.
    env::join_paths(folders).unwrap_or(path)
}

/// Whether cargo and rustc are rustup's proxies here, which must be told which toolchain to be.
pub(crate) fn has_rustup() -> bool {
    output(Command::new("rustup").arg("--version")).is_some()
}

/// Whether the rustc that `command` starts has its sources, and writes bitcode that bpf-linker reads.
fn usable(command: impl Fn() -> Command) -> bool {
    let sources = output(command().args(["--print", "sysroot"]))
        .is_some_and(|root| Path::new(root.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml").exists());
    let llvm = output(command().arg("-vV")).and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("LLVM version: ")?.split('.').next()?.parse::<u32>().ok())
    });
    sources && llvm.is_some_and(|major| major <= LLVM_MAJOR)
}

/// What a command that succeeds prints.
fn output(command: &mut Command) -> Option<String> {
    let out = command.output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}
