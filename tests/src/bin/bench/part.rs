//! What one part of the benchmark found.

use crate::chart::Bars;
use crate::table::Table;

/// What was to be reached, and whether it was.
#[derive(Clone, Debug)]
pub struct Aim {
    what: String,
    kept: bool,
}

impl Aim {
    /// An aim in words.
    pub const fn new(what: String, kept: bool) -> Self {
        Self { what, kept }
    }

    /// A line about it.
    pub fn text(&self) -> String {
        format!("{}  {}", if self.kept { "kept  " } else { "MISSED" }, self.what)
    }
}

/// What was found.
#[derive(Debug)]
pub struct Part {
    /// What it is asked for by.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What somebody must know to read it.
    pub note: String,
    /// The figures.
    pub tables: Vec<Table>,
    /// What was to be reached.
    pub aims: Vec<Aim>,
    /// What of it is drawn.
    pub bars: Option<Bars>,
}

impl Part {
    /// For a terminal.
    pub fn text(&self) -> String {
        let tables: Vec<_> = self.tables.iter().map(Table::text).collect();
        let aims: String = self.aims.iter().map(|aim| aim.text() + "\n").collect();
        format!("{}: {}\n\n{}\n{aims}", self.title, self.note, tables.join("\n"))
    }

    /// For a page; `picture` is where its bars are drawn.
    pub fn markdown(&self, picture: Option<&str>) -> String {
        let tables: Vec<_> = self.tables.iter().map(Table::markdown).collect();
        let aims: String = self.aims.iter().map(|aim| format!("- {}\n", aim.text())).collect();
        let picture = picture.map_or_else(String::new, |picture| format!("\n![{}]({picture})\n", self.title));
        format!("{}\n\n{}{picture}\n{aims}", self.note, tables.join("\n"))
    }
}
