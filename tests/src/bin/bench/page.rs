//! The page of the documentation with the figures of the last run.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::part::Part;

/// The page. What a part found lies between two lines that name it.
pub struct Page(PathBuf);

impl Page {
    /// The page in this file; the pictures lie beside it.
    pub fn new(path: String) -> Self {
        Self(path.into())
    }

    /// Puts what a part found in the place of what it found before, and draws its picture.
    ///
    /// # Errors
    /// The page has no place for it, or cannot be written.
    pub fn write(&self, part: &Part) -> Result<()> {
        let page = self.0.display();
        let text = std::fs::read_to_string(&self.0).with_context(|| format!("cannot read {page}"))?;
        let (begin, end) =
            (format!("<!-- figures of `cargo xtask bench {} --write` -->\n", part.name), "<!-- end -->\n");
        let lacking = || format!("{page} has no line `{}` and `{}` behind it", begin.trim(), end.trim());
        let (head, rest) = text.split_once(&begin).with_context(lacking)?;
        let (_, tail) = rest.split_once(end).with_context(lacking)?;
        let picture = part.bars.as_ref().map(|_| format!("benchmarks-{}.svg", part.name));
        if let (Some(bars), Some(picture)) = (&part.bars, &picture) {
            bars.draw(&self.0.with_file_name(picture))?;
        }
        let kernel = nix::sys::utsname::uname()?.release().to_string_lossy().into_owned();
        let found = part.markdown(picture.as_deref());
        let text = format!("{head}{begin}\n{found}\nMeasured on Linux {kernel}.\n{end}{tail}");
        std::fs::write(&self.0, text).with_context(|| format!("cannot write {page}"))
    }
}
