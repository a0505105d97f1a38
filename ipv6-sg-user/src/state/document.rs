//! A TOML file as text and as typed entries, with every error in one line that says where.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;

use super::origin::path_text;
use super::{Error, Invalid, Origin, Problem};

/// How much of a refused line is shown.
const EXCERPT: usize = 60;

/// The text of a file, and where it is from.
#[derive(Debug)]
pub(super) struct Document {
    path: String,
    origin: Origin,
    text: String,
}

impl Document {
    /// Text that says it is from `path`.
    pub(super) fn new(path: &Path, text: String) -> Self {
        Self { path: path_text(path), origin: Origin::file(path), text }
    }

    /// Reads a regular file.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Read { path: path_text(path), source };
        // Asked first: opening a FIFO would wait for its writer.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(Error::NotAFile { path: path_text(path) });
        }
        let text = String::from_utf8(fs::read(path).map_err(failed)?).map_err(|error| {
            let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            Error::NotUtf8 { path: path_text(path), line: 1 + newlines(before) }
        })?;
        Ok(Self::new(path, text))
    }

    /// The entries in the text.
    pub(super) fn entries<T: DeserializeOwned>(&self) -> Result<T, Error> {
        toml::from_str(&self.text).map_err(|error| {
            let before = self.before(error.span().map_or(0, |span| span.start));
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let column = 1 + before.get(line_start..).unwrap_or_default().chars().count();
            Error::Syntax {
                path: self.path.clone(),
                line: 1 + newlines(before.as_bytes()),
                column,
                message: self.message(error.message(), line_start),
            }
        })
    }

    /// The line where a value starts.
    pub(super) fn origin_of<T>(&self, value: &Spanned<T>) -> Origin {
        self.origin.at(1 + newlines(self.before(value.span().start).as_bytes()))
    }

    /// What `parse` makes of a value, or an error that names its key.
    pub(super) fn value<T>(
        &self,
        key: impl FnOnce() -> String,
        value: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        let text = value.get_ref();
        parse(text).map_err(|problem| self.invalid(value, key(), text.clone(), problem))
    }

    /// The error that refuses what stands where `place` is.
    pub(super) fn invalid<T>(&self, place: &Spanned<T>, key: String, value: String, problem: Problem) -> Error {
        Invalid { origin: self.origin_of(place), key, value, problem }.into()
    }

    fn before(&self, offset: usize) -> &str {
        self.text.get(..offset).unwrap_or(&self.text)
    }

    /// The parser's message in one line, with the line it is about: the message alone seldom names the key.
    fn message(&self, message: &str, line_start: usize) -> String {
        let mut text = message.lines().map(str::trim).collect::<Vec<_>>().join(", ");
        let line = self.text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
        if !line.is_empty() {
            let shown: String =
                line.chars().take(EXCERPT).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            text.push_str(" in `");
            text.push_str(&shown);
            text.push_str(if line.chars().count() > EXCERPT { "…`" } else { "`" });
        }
        text
    }
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}
