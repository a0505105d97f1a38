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
pub const LLVM_MAJOR: u32 = 22;

/// Where Debian's packages put a toolchain.
const DEBIAN: &str = "/usr";

/// A compiler that can build for the BPF target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// rustup's `nightly` with `rust-src`.
    Nightly,
    /// Debian's `rustc-web`, `cargo-web` and `rust-web-src`, run by way of rustup when it is there.
    Debian,
}

impl Toolchain {
    /// The first that is usable here.
    pub fn find() -> Option<Self> {
        let nightly = || {
            let mut rustup = Command::new("rustup");
            rustup.args(["run", Self::Nightly.name(), "rustc"]);
            rustup
        };
        let debian = || Command::new(Path::new(DEBIAN).join("bin/rustc"));
        if usable(nightly) { Some(Self::Nightly) } else { usable(debian).then_some(Self::Debian) }
    }

    /// What `rustup run` knows it by; a path is as good as a name, and needs no `rustup toolchain link`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nightly => "nightly",
            Self::Debian => DEBIAN,
        }
    }

    /// What its cargo must be started with: rustc's unstable features allowed, and `PATH` so that its own tools and
    /// bpf-linker are found, whatever the caller's looks like.
    pub fn environment(self) -> Vec<(&'static str, OsString)> {
        let mut path: Vec<PathBuf> =
            env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
        path.extend(cargo_bin());
        let mut set = Vec::new();
        if self == Self::Debian {
            set.push(("RUSTC_BOOTSTRAP", "1".into()));
            if !has_rustup() {
                path.insert(0, Path::new(DEBIAN).join("bin"));
            }
        }
        if let Ok(path) = env::join_paths(path) {
            set.push(("PATH", path));
        }
        set
    }
}

/// Where `cargo install` puts programs.
pub fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo"))).map(|home| home.join("bin"))
}

fn has_rustup() -> bool {
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
