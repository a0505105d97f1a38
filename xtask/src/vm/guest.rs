//! The guest that tests switch on behind a tap: a kernel of Debian's, and a root file system with one program of the tests'.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::{archive::Archive, initramfs, kernel, modules, programs};
use crate::{sh, test, ui};

/// What the tests read to find it.
pub(crate) const VARIABLE: &str = "IPV6_SG_GUEST";

/// The kernel of most guests: what Debian's stable release had when this was written.
const KERNEL: &str = "6.1";

/// A network card, and sockets for frames.
const MODULES: &[&str] = &["virtio_pci", "virtio_net", "af_packet", "ipv6"];

const INIT: &[u8] = include_bytes!("guest.sh");

/// Makes it, and says in which folder its `kernel` and its `initramfs` are.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = sh::workspace().join("target/vm/guest");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    ui::step("vm", "the guest that tests put behind a tap");
    let built = programs::executables(&mut test::programs_of_tests())?;
    let (_, program) = built.into_iter().find(|((_, name), _)| name == "guest").context("cargo built no guest")?;
    let kernel = kernel::ALL.iter().find(|kernel| kernel.name == KERNEL).context("no such kernel in the matrix")?;
    let unpacked = kernel.fetch(&sh::workspace().join("target/vm").join(KERNEL))?;

    let mut archive = Archive::create(folder.join("initramfs"))?;
    archive.file(Path::new("/init"), 0o755, INIT)?;
    archive.directory(Path::new("/tmp"), 0o1777)?;
    let stripped = initramfs::strip(&folder, &program)?;
    let bytes = fs::read(&stripped).with_context(|| format!("cannot read {}", stripped.display()))?;
    archive.file(Path::new("/guest"), 0o755, &bytes)?;
    initramfs::libraries(&program)?.iter().try_for_each(|library| archive.mirror(library, None))?;
    archive.mirror(&initramfs::which("busybox")?, None)?;
    // What Debian's guests ask for prefixes with; busybox has no such client there.
    let client = initramfs::which("dhclient")?;
    archive.mirror(&client, None)?;
    initramfs::libraries(&client)?.iter().try_for_each(|library| archive.mirror(library, None))?;
    initramfs::modules(&mut archive, &modules::in_order(&unpacked.modules, MODULES)?)?;
    archive.finish()?;

    let link = folder.join("kernel");
    let _ = fs::remove_file(&link);
    symlink(&unpacked.image, &link).with_context(|| format!("cannot make {}", link.display()))?;
    Ok(folder)
}
