//! The state directory: every `*.toml` in it, in the order of their names.
//!
//! Writers replace files by renaming others over them, so names that begin with a dot or end otherwise are ignored.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::origin::path_text;
use super::{Declarations, Error, Model, file};

/// The desired state that the files in `directory` describe together.
///
/// # Errors
/// The first thing wrong with them, in the order of their names. A directory that does not exist is an error; an empty
/// one is an empty state.
pub fn load(directory: &Path) -> Result<Model, Error> {
    let mut sources = Vec::new();
    for path in files(directory)? {
        sources.extend(read(&path)?);
    }
    Ok(Model::assemble(sources)?)
}

/// The desired state that these files describe together, in this order.
///
/// # Errors
/// The first thing wrong with them.
pub fn load_files(files: &[PathBuf]) -> Result<Model, Error> {
    let sources = files.iter().map(|path| file::read(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Model::assemble(sources)?)
}

/// The state files in `directory`, in the order in which they are read.
///
/// # Errors
/// The directory cannot be read.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => Error::NoDirectory { path: path_text(directory) },
        _ => Error::Read { path: path_text(directory), source },
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let bytes = name.as_encoded_bytes();
        if !bytes.starts_with(b".") && bytes.ends_with(b".toml") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

/// What a file says; nothing when it was removed after the directory was listed.
fn read(path: &Path) -> Result<Option<Declarations>, Error> {
    match file::read(path) {
        // A link that leads nowhere is still there, and somebody should know.
        Err(Error::Read { source, .. }) if source.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            Ok(None)
        }
        other => other.map(Some),
    }
}
