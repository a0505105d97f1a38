//! Where and how verbs print: JSON for programs, aligned plain text for people.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

/// Spaces between columns.
const GAP: u16 = 2;

/// Standard output, colours stripped when it is no terminal or `NO_COLOR` is set.
pub(super) struct Out {
    inner: Box<dyn Write>,
    reader_is_gone: bool,
}

impl Out {
    /// The process's own.
    pub(super) fn stdout() -> Self {
        Self::to(Box::new(anstream::stdout().lock()))
    }

    fn to(inner: Box<dyn Write>) -> Self {
        Self { inner, reader_is_gone: false }
    }

    /// Whether a write failed because nobody reads any more, as when `| head` has seen enough.
    pub(super) const fn reader_is_gone(&self) -> bool {
        self.reader_is_gone
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            self.reader_is_gone |= error.kind() == io::ErrorKind::BrokenPipe;
            io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
        })
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.noted(result)
    }
}

/// The choice between the two.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Format {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints a value as indented JSON.
pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Prints rows in aligned columns, below their headings unless there are none. Nothing is wrapped or cut: the columns
/// are the same on every terminal and in a pipe. A cell may have several lines.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    headings: Option<[&str; N]>,
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(headings) = headings {
        table.set_header(headings);
    }
    table.add_rows(rows);
    if table.is_empty() && headings.is_none() {
        return Ok(());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// Each item as it is printed.
pub(super) fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed<const N: usize>(headings: Option<[&str; N]>, rows: Vec<[&str; N]>) -> String {
        let mut out = Vec::new();
        table(&mut out, headings, rows.into_iter().map(|row| row.map(str::to_owned))).unwrap();
        String::from_utf8(out).unwrap()
    }

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_told_from_other_failures() {
        for (kind, gone) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let mut out = Out::to(Box::new(Failing(kind)));
            assert!(!out.reader_is_gone());
            let error = json(&mut out, &1).unwrap_err();
            assert!(error.to_string().starts_with("cannot write to standard output: "), "{error}");
            assert_eq!(out.reader_is_gone(), gone);
        }
    }

    #[test]
    fn columns_are_aligned_without_borders_or_trailing_space() {
        assert_eq!(
            printed(Some(["IF", "VM"]), vec![["vnet11", "a"], ["v", "b\nc"]]),
            "IF      VM\nvnet11  a\nv       b\n        c\n"
        );
        assert_eq!(printed(None, vec![["a", "b"]]), "a  b\n");
        assert_eq!(printed::<2>(None, vec![]), "");
    }
}
