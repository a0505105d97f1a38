//! Aligned for a terminal, and as Markdown for the documentation.

use std::fmt::Write as _;

/// A table of text.
#[derive(Clone, Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// An empty one.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        Self(vec![header.into_iter().map(str::to_owned).collect()])
    }

    /// Adds a row.
    pub fn row(&mut self, row: impl IntoIterator<Item = String>) {
        self.0.push(row.into_iter().collect());
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.0.first().map_or(0, Vec::len);
        let widest =
            |column: usize| self.0.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max();
        (0..columns).map(|column| widest(column).unwrap_or(0)).collect()
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        self.lines(|cells| format!("  {}", cells.join("  ").trim_end()))
    }

    /// For a page.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let mut text = self.lines(line);
        let rule: Vec<_> = self.widths().into_iter().map(|width| "-".repeat(width)).collect();
        let end = text.find('\n').map_or(text.len(), |end| end + 1);
        text.insert_str(end, &(line(&rule) + "\n"));
        text
    }

    fn lines(&self, line: impl Fn(&[String]) -> String) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for row in &self.0 {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            let _ = writeln!(text, "{}", line(&cells));
        }
        text
    }
}
