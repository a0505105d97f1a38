//! Kernel modules, with those that they need themselves.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// A module, ready to load.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: String,
    /// The file, not compressed.
    pub(super) bytes: Vec<u8>,
}

/// The wanted modules of a kernel, each after those that it depends on. What the kernel has built in is no module.
pub(super) fn in_order(folder: &Path, wanted: &[&str]) -> Result<Vec<Module>> {
    let files = list(folder)?;
    let mut loaded = Vec::new();
    for name in wanted {
        add(name, &files, &mut loaded)?;
    }
    Ok(loaded)
}

fn add(name: &str, files: &BTreeMap<String, PathBuf>, loaded: &mut Vec<Module>) -> Result<()> {
    let Some(file) = files.get(name).filter(|_| !loaded.iter().any(|module| module.name == name)) else {
        return Ok(());
    };
    let bytes = read(file)?;
    for dependency in depends(&bytes) {
        add(&dependency, files, loaded)?;
    }
    loaded.push(Module { name: name.to_owned(), bytes });
    Ok(())
}

/// All modules below a folder, by the name that the kernel gives them.
fn list(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(folder) = queue.pop() {
        let cannot_read = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(cannot_read)? {
            let path = entry.with_context(cannot_read)?.path();
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                queue.push(path);
            } else if let Some((name, "ko" | "ko.xz")) = file.split_once('.') {
                found.insert(name.replace('-', "_"), path);
            }
        }
    }
    Ok(found)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_some_and(|extension| extension == "ko") {
        return fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let mut xz = Command::new("xz");
    xz.args(["--decompress", "--stdout"]).arg(file).stderr(Stdio::inherit());
    let out = xz.output().context("cannot start `xz`")?;
    if !out.status.success() {
        bail!("`xz` cannot decompress {}", file.display());
    }
    Ok(out.stdout)
}

/// The modules that a module says it depends on.
fn depends(module: &[u8]) -> Vec<String> {
    let texts = module.split(|byte| *byte == 0);
    let names = texts.filter_map(|text| text.strip_prefix(b"depends=")).next().unwrap_or_default();
    let names = String::from_utf8_lossy(names);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_names_what_it_depends_on() {
        assert_eq!(depends(b"\x7fELF\0license=GPL\0depends=stp,llc\0intree=Y\0"), ["stp", "llc"]);
        assert_eq!(depends(b"\x7fELF\0depends=\0intree=Y\0"), [""; 0]);
        assert_eq!(depends(b"\x7fELF"), [""; 0]);
    }
}
