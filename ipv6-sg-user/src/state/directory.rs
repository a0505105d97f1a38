//! The state directory: every `*.toml` in it, in the order of their names.
//!
//! Writers replace files by renaming others over them, so names that begin with a dot or end otherwise are ignored.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::origin::path_text;
use super::{Declarations, Error, Model, file};

/// What the files in `directory` say, in the order of their names.
///
/// # Errors
/// The first thing wrong with one of them on its own. A directory that does not exist is an error; an empty one is an empty
/// state.
pub fn declarations(directory: &Path) -> Result<Vec<Declarations>, Error> {
    let mut sources = Vec::new();
    for path in files(directory)? {
        sources.extend(read(&path)?);
    }
    Ok(sources)
}

/// The desired state that these files, and the state files in these directories, describe together, in this order.
///
/// # Errors
/// The first thing wrong with them.
pub fn load_all(paths: &[PathBuf]) -> Result<Model, Error> {
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            sources.extend(declarations(path)?);
        } else {
            sources.push(file::read(path)?);
        }
    }
    Model::assemble(sources)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn load(directory: &Path) -> Result<Model, Error> {
        Model::assemble(declarations(directory)?)
    }

    fn message(directory: &Path) -> String {
        let error = load(directory).map(|_| ()).unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{source}").replace(&directory.display().to_string(), "DIR")
    }

    #[test]
    fn names_decide_what_is_read_and_when() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        assert_eq!(load(directory.path()).unwrap(), Model::default());
        write("20-b.toml", "[network.b]\nprefixes = []");
        write("10-a.toml", "[network.a]\nprefixes = []");
        for ignored in [".10-a.toml", "10-a.toml.new", "10-a.toml~", "README", "toml", ".toml"] {
            write(ignored, "not TOML at all");
        }
        fs::create_dir(directory.path().join("old")).unwrap();
        assert_eq!(load(directory.path()).unwrap().networks().len(), 2);
        let names: Vec<_> = files(directory.path()).unwrap();
        assert_eq!(names, [directory.path().join("10-a.toml"), directory.path().join("20-b.toml")]);

        // The later file is the one that is refused.
        write("15.toml", "[network.b]\nprefixes = []");
        assert_eq!(
            message(directory.path()),
            "DIR/20-b.toml:1: network = \"b\": already defined at DIR/15.toml:1; remove one"
        );
        // The first file that is wrong is the one that is named.
        write("12.toml", "x");
        assert_eq!(message(directory.path()), "DIR/12.toml:1:2: key with no value, expected `=` in `x`");
    }

    #[test]
    fn what_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let missing = path("state.d");
        assert_eq!(
            message(&missing),
            "DIR: no such directory; create it (an empty one is an empty state), or set state_dir"
        );
        fs::write(&missing, "").unwrap();
        assert_eq!(message(&missing), "cannot read DIR: Not a directory (os error 20)");

        let file = path("10.toml");
        fs::create_dir(&file).unwrap();
        let not_a_file = "DIR/10.toml: not a regular file; move it away, or give it a name that does not end in .toml";
        assert_eq!(message(directory.path()), not_a_file);
        fs::remove_dir(&file).unwrap();

        symlink("nowhere", &file).unwrap();
        assert_eq!(message(directory.path()), "cannot read DIR/10.toml: No such file or directory (os error 2)");
        fs::remove_file(&file).unwrap();

        symlink("/dev/zero", &file).unwrap();
        assert_eq!(message(directory.path()), not_a_file);
        fs::remove_file(&file).unwrap();

        fs::write(&file, b"# one\n# caf\xe9\n").unwrap();
        assert_eq!(message(directory.path()), "DIR/10.toml:2: not UTF-8 text; save the file as UTF-8");
        fs::remove_file(&file).unwrap();

        // A name that would break the line.
        fs::write(path("a\nb.toml"), "x").unwrap();
        assert_eq!(message(directory.path()), "DIR/a\\nb.toml:1:2: key with no value, expected `=` in `x`");
    }

    #[test]
    fn a_file_that_vanishes_meanwhile_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(&directory.path().join("gone.toml")).unwrap(), None);
    }
}
