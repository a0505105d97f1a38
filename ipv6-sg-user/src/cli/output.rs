//! How verbs print: tables for people, JSON for programs.

use std::fmt::Arguments;
use std::io::{self, Write as _};

use anyhow::Result;
use comfy_table::{ContentArrangement, Row, Table, presets};
use serde::Serialize;

/// An aligned table without lines.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(Row::from(header));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Prints a table.
pub(super) fn print(table: &Table) -> Result<()> {
    for text in table.lines() {
        line(format_args!("{}", text.trim_end()))?;
    }
    Ok(())
}

/// Prints a line.
pub(super) fn line(text: Arguments<'_>) -> Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Prints a value as JSON on one line, at once.
pub(super) fn json_line(value: &impl Serialize) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
