//! Builds the kernel program and leaves its object at `$OUT_DIR/ipv6-sg-ebpf`, for the binary to carry inside itself.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context as _, Result, anyhow, bail};
use aya_build::Package;

#[path = "build/toolchain.rs"]
mod toolchain;
use toolchain::{LLVM_MAJOR, Toolchain};

const PACKAGE: &str = "ipv6-sg-ebpf";

/// aya_build's own switch, which leaves no object at all.
const SKIP: &str = "AYA_BUILD_SKIP";

fn main() {
    if let Err(err) = build() {
        // This fails the build, and shows only the message: an exit code would bring the whole log of the script too.
        println!("cargo::error={err:#}");
    }
}

fn build() -> Result<()> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).ok_or_else(|| anyhow!("cargo did not set {name}"));
    let out = variable("OUT_DIR")?;
    let object = out.join(PACKAGE);
    let user = variable("CARGO_MANIFEST_DIR")?;
    let workspace = user.parent().with_context(|| format!("{} is not inside the workspace", user.display()))?;

    // Cargo knows nothing of the nested build, so what goes into it is named here; aya_build names `root_dir` itself.
    for input in ["Cargo.toml", "Cargo.lock", "ipv6-sg-common"] {
        println!("cargo:rerun-if-changed={}", workspace.join(input).display());
    }
    println!("cargo:rerun-if-env-changed={SKIP}");
    if env::var(SKIP).is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true")) {
        // User space still compiles, for documentation and editors where there is no such compiler; it loads nothing.
        return fs::write(&object, []).with_context(|| format!("cannot write {}", object.display()));
    }

    let Some(toolchain) = Toolchain::find() else {
        bail!(
            "no Rust compiler for the kernel program: it takes a rustup nightly with the component rust-src, or Debian's \
             rustc-web with rust-web-src, of LLVM {LLVM_MAJOR} at most. `cargo xtask setup` installs what is missing."
        )
    };
    // Every profile, every set of features and clippy has an OUT_DIR of its own; `core` and what else the kernel program
    // is made of is the same in all. So all of them build it in one place, one at a time, and copy the object.
    let shared = out.ancestors().nth(4).unwrap_or(&out).join("ebpf");
    fs::create_dir_all(&shared).with_context(|| format!("cannot make {}", shared.display()))?;
    let lock = shared.join("lock");
    let lock = File::create(&lock).with_context(|| format!("cannot make {}", lock.display()))?;
    lock.lock().context("cannot lock the shared build of the kernel program")?;

    let build = [
        ("OUT_DIR", shared.clone().into_os_string()),
        // aya_build passes on as warnings all that the nested cargo prints; what is being compiled is no warning.
        ("CARGO_TERM_QUIET", "true".into()),
    ];
    for (name, value) in toolchain.environment().into_iter().chain(build) {
        // SAFETY: a build script is a process of its own, and this one has started no thread yet.
        unsafe { env::set_var(name, value) };
    }
    // Meant for this script alone; aya-ebpf would be compiled anew for every caller that has it or has it not.
    // SAFETY: as above.
    unsafe { env::remove_var("HOST") };
    let ebpf = workspace.join(PACKAGE);
    let diagnostics: &[&str] = if env::var_os("CARGO_FEATURE_DIAGNOSTICS").is_some() { &["diagnostics"] } else { &[] };
    let package = Package {
        name: PACKAGE,
        features: diagnostics,
        root_dir: ebpf.to_str().with_context(|| format!("{} is not UTF-8", ebpf.display()))?,
        ..Package::default()
    };
    aya_build::build_ebpf([package], aya_build::Toolchain::Custom(toolchain.name()))
        .context("the kernel program did not build; a missing compiler or linker `cargo xtask setup` installs")?;
    let built = shared.join(PACKAGE);
    fs::copy(&built, &object).with_context(|| format!("cannot copy {} to {}", built.display(), object.display()))?;
    Ok(())
}
