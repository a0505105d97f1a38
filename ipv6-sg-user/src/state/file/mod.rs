//! One state file: what it may say, and its values checked one by one.
//!
//! Knows nothing of other files: names that are defined elsewhere and clashes between entries are the model's.

mod group;
mod network;
mod port;

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::document::Document;
use super::{Declarations, Error, Problem};

/// The keys of a state file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    #[serde(default)]
    network: BTreeMap<Spanned<String>, network::Entry>,
    #[serde(default)]
    port: Vec<port::Entry>,
    #[serde(default)]
    security_group: BTreeMap<Spanned<String>, group::Entry>,
}

/// What a state file says.
///
/// # Errors
/// It cannot be read, is no TOML of this shape, or a value in it is wrong on its own.
pub fn read(path: &Path) -> Result<Declarations, Error> {
    declarations(&Document::read(path)?)
}

/// What `text` says; `path` is for messages.
///
/// # Errors
/// As [`read`].
pub fn parse(path: &Path, text: &str) -> Result<Declarations, Error> {
    declarations(&Document::new(path, text.to_owned()))
}

fn declarations(document: &Document) -> Result<Declarations, Error> {
    let entries: Entries = document.entries()?;
    let mut declarations = Declarations::default();
    for (name, entry) in &entries.network {
        declarations.networks.push(entry.check(document, name)?);
    }
    for (index, entry) in entries.port.iter().enumerate() {
        declarations.ports.push(entry.check(document, index)?);
    }
    for (name, entry) in &entries.security_group {
        declarations.groups.push(entry.check(document, name)?);
    }
    Ok(declarations)
}

/// A list of values, each once. `key` names the list.
fn list<T: Clone + Eq + Hash>(
    document: &Document,
    key: &str,
    texts: &[Spanned<String>],
    parse: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, Error> {
    let mut values = Vec::with_capacity(texts.len());
    let mut seen = HashSet::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let value = document.value(
            || format!("{key}[{index}]"),
            text,
            |text| {
                let value = parse(text)?;
                if seen.insert(value.clone()) { Ok(value) } else { Err(Problem::ListedTwice) }
            },
        )?;
        values.push(value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
