//! A cpio archive as the kernel unpacks it into its root file system. Knows nothing of what the files are for.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// The file type bits of a mode.
const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;

/// An archive that is being written.
pub(super) struct Archive {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    /// What is in it: nothing is in it twice.
    names: BTreeSet<PathBuf>,
}

impl Archive {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file: BufWriter::new(file), length: 0, names: BTreeSet::new() })
    }

    /// A directory, and those above it.
    pub(super) fn directory(&mut self, path: &Path, permissions: u32) -> Result<()> {
        if let Some(above) = path.parent() {
            self.above(above)?;
        }
        self.entry(path, DIRECTORY | permissions, b"")
    }

    /// A file, with the directories above it.
    pub(super) fn file(&mut self, path: &Path, permissions: u32, bytes: &[u8]) -> Result<()> {
        if let Some(above) = path.parent() {
            self.above(above)?;
        }
        self.entry(path, REGULAR | permissions, bytes)
    }

    /// What this machine has at a path, at the same path: through every link on the way, which is there as well.
    /// `content` is put in the place of the file's own.
    pub(super) fn mirror(&mut self, path: &Path, content: Option<&Path>) -> Result<()> {
        let cannot_read = || format!("cannot read {}", path.display());
        let mut at = PathBuf::new();
        let mut parts = path.components();
        while let Some(part) = parts.next() {
            match part {
                Component::ParentDir => drop(at.pop()),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) | Component::Normal(_) => at.push(part),
            }
            let metadata = fs::symlink_metadata(&at).with_context(cannot_read)?;
            let permissions = metadata.permissions().mode() & 0o7777;
            if metadata.is_symlink() {
                let target = fs::read_link(&at).with_context(cannot_read)?;
                self.entry(&at, SYMLINK | 0o777, target.as_os_str().as_bytes())?;
                let above = at.parent().unwrap_or(&at);
                return self.mirror(&above.join(target).join(parts.as_path()), content);
            }
            if metadata.is_dir() {
                self.entry(&at, DIRECTORY | permissions, b"")?;
            } else {
                let bytes = fs::read(content.unwrap_or(&at)).with_context(cannot_read)?;
                self.entry(&at, REGULAR | permissions, &bytes)?;
            }
        }
        Ok(())
    }

    /// Ends it; how long it is. More archives may follow it in its file.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.entry(Path::new("TRAILER!!!"), 0, b"")?;
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok(self.length)
    }

    fn above(&mut self, path: &Path) -> Result<()> {
        let above: Vec<_> = path.ancestors().collect();
        above.into_iter().rev().try_for_each(|path| self.entry(path, DIRECTORY | 0o755, b""))
    }

    /// One entry in the format that cpio calls `newc`, unless it is there.
    fn entry(&mut self, path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
        let name = path.strip_prefix("/").unwrap_or(path);
        if name.as_os_str().is_empty() || !self.names.insert(name.to_owned()) {
            return Ok(());
        }
        let name = name.as_os_str().as_bytes();
        let (Ok(size), Ok(number)) = (u32::try_from(bytes.len()), u32::try_from(self.names.len())) else {
            bail!("{} is too large for an archive", path.display());
        };
        let mut header = String::from("070701");
        // Inode, mode, user, group, links, time, size, four device numbers, length of the name, checksum.
        for field in [number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, u32::try_from(name.len())? + 1, 0] {
            header += &format!("{field:08x}");
        }
        for part in [&[header.as_bytes(), name, b"\0"].concat(), bytes] {
            self.padded(part).with_context(|| format!("cannot write {}", self.path.display()))?;
        }
        Ok(())
    }

    /// Each part begins at a multiple of four bytes.
    fn padded(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.file.write_all(bytes)?;
        self.file.write_all(&vec![0; padding])?;
        self.length += (bytes.len() + padding) as u64;
        Ok(())
    }
}
