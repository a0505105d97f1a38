//! The kernels of the matrix, as Debian builds them for clouds: fetched once, then kept unpacked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{apt::Apt, sh, ui};

/// A kernel, by the name that `--kernel` takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    pub(super) name: &'static str,
    /// Debian's release that has it.
    suite: &'static str,
}

/// From the oldest that is supported to the newest there is.
pub(super) const ALL: &[Kernel] = &[
    Kernel { name: "5.10", suite: "bullseye" },
    Kernel { name: "6.1", suite: "bookworm" },
    Kernel { name: "6.12", suite: "trixie" },
    Kernel { name: "7", suite: "sid" },
];

/// Depends on the release's newest kernel.
const NEWEST: &str = "linux-image-cloud-amd64";

/// How the packages begin that hold parts of a kernel; newer ones are split into image and modules.
const PARTS: [&str; 3] = ["linux-image-", "linux-binary-", "linux-modules-"];

/// What is in the folder of a kernel that is there as a whole: written last.
const COMPLETE: &str = "complete";

/// A kernel that is here.
#[derive(Debug)]
pub(super) struct Unpacked {
    /// As `uname -r` will say.
    pub(super) release: String,
    /// What qemu boots.
    pub(super) image: PathBuf,
    /// The folder of its modules.
    pub(super) modules: PathBuf,
}

impl Kernel {
    /// Fetches it into its folder, unless it is there.
    pub(super) fn fetch(&self, folder: &Path) -> Result<Unpacked> {
        let tree = folder.join("tree");
        let complete = folder.join(COMPLETE);
        if !complete.exists() {
            ui::step("vm", format_args!("fetching the newest Linux {} of Debian's {}", self.name, self.suite));
            let apt = Apt::new(folder.join("apt"), self.suite)?;
            for package in apt.download(&parts(&apt)?)? {
                let mut unpack = Command::new("dpkg-deb");
                unpack.arg("--extract").arg(&package).arg(&tree);
                sh::run_quietly(&mut unpack, "is the disk full?")?;
            }
            // The package lists are large, and looked at only this once.
            apt.remove()?;
            fs::write(&complete, "").with_context(|| format!("cannot write {}", complete.display()))?;
        }
        find(&tree).with_context(|| format!("to fetch this kernel again, remove {}", folder.display()))
    }
}

/// The packages of the kernel on which [`NEWEST`] depends.
fn parts(apt: &Apt) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut queue = vec![NEWEST.to_owned()];
    while let Some(package) = queue.pop() {
        let depends = apt.depends(&package)?;
        queue.extend(depends.into_iter().filter(|name| PARTS.iter().any(|part| name.starts_with(part))));
        if package != NEWEST {
            found.push(package);
        }
    }
    if found.is_empty() {
        bail!("Debian's {NEWEST} depends on none of {}: look what it has become", PARTS.join("*, "));
    }
    Ok(found)
}

/// What lies where in the packages' files: `/usr/lib` was `/lib`, and the image lay in `/boot`.
fn find(tree: &Path) -> Result<Unpacked> {
    for lib in ["usr/lib/modules", "lib/modules"] {
        let Ok(mut entries) = fs::read_dir(tree.join(lib)) else { continue };
        let Some(Ok(modules)) = entries.next() else { continue };
        let (release, modules) = (modules.file_name().to_string_lossy().into_owned(), modules.path());
        let images = [modules.join("vmlinuz"), tree.join(format!("boot/vmlinuz-{release}"))];
        if let Some(image) = images.into_iter().find(|image| image.exists()) {
            return Ok(Unpacked { release, image, modules });
        }
    }
    bail!("{} holds no kernel with modules", tree.display())
}
