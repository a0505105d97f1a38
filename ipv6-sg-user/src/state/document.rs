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
    /// Where each line after the first starts: files may be long, and every entry is told by its line.
    starts: Vec<usize>,
}

impl Document {
    /// Text that says it is from `path`.
    pub(super) fn new(path: &Path, text: String) -> Self {
        let starts = text.bytes().zip(1..).filter(|(byte, _)| *byte == b'\n').map(|(_, next)| next).collect();
        Self { path: path_text(path), origin: Origin::file(path), text, starts }
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
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            Error::NotUtf8 { path: path_text(path), line }
        })?;
        Ok(Self::new(path, text))
    }

    /// The entries in the text.
    pub(super) fn entries<T: DeserializeOwned>(&self) -> Result<T, Error> {
        toml::from_str(&self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let (line, start) = self.line_of(offset);
            let column = 1 + self.text.get(start..offset).unwrap_or_default().chars().count();
            Error::Syntax { path: self.path.clone(), line, column, message: self.message(error.message(), start) }
        })
    }

    /// The line where a value starts.
    pub(super) fn origin_of<T>(&self, value: &Spanned<T>) -> Origin {
        let (line, _) = self.line_of(value.span().start);
        self.origin.at(line)
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

    /// A number within its bounds, both of which are in, or an error that names its key.
    pub(super) fn number(
        &self,
        key: impl FnOnce() -> String,
        number: &Spanned<u32>,
        (least, most): (u32, u32),
    ) -> Result<u32, Error> {
        let value = *number.get_ref();
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(self.invalid(number, key(), value.to_string(), Problem::OutOfBounds(least, most)))
    }

    /// The error that refuses what stands where `place` is.
    pub(super) fn invalid<T>(&self, place: &Spanned<T>, key: String, value: String, problem: Problem) -> Error {
        Invalid { origin: self.origin_of(place), key, value, problem }.into()
    }

    /// The line of an offset, from 1, and where it starts.
    fn line_of(&self, offset: usize) -> (usize, usize) {
        let (before, _) = self.starts.split_at(self.starts.partition_point(|start| *start <= offset));
        (1 + before.len(), before.last().copied().unwrap_or(0))
    }

    /// The parser's message in one line, with the line it is about: the message alone seldom names the key.
    fn message(&self, message: &str, start: usize) -> String {
        let mut text = message.lines().map(str::trim).collect::<Vec<_>>().join(", ");
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
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
