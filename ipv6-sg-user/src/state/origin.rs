//! Where something in the desired state was written, for messages.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A file and a line in it, or the name of another source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    source: Arc<str>,
    line: Option<usize>,
}

impl Origin {
    /// A source as a whole.
    pub fn new(source: &str) -> Self {
        Self { source: source.into(), line: None }
    }

    /// A file as a whole. A name with control characters is escaped: messages are one line.
    pub fn file(path: &Path) -> Self {
        Self::new(&path_text(path))
    }

    /// A line of it, counted from 1.
    #[must_use]
    pub fn at(&self, line: usize) -> Self {
        Self { source: Arc::clone(&self.source), line: Some(line) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// A path for a message of one line.
pub fn path_text(path: &Path) -> String {
    let text = path.display().to_string();
    if text.chars().any(char::is_control) { text.escape_debug().collect() } else { text }
}
