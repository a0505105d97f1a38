//! What `cargo xtask` itself says, on stderr, told apart from what it runs.

use std::fmt::Display;

use anstream::eprintln;
use anstyle::{AnsiColor, Style};

/// One step that is about to run.
pub(crate) fn step(verb: &str, what: impl Display) {
    let style = AnsiColor::Green.on_default().bold();
    say(style, verb, what);
}

/// Why it stops, and how to mend it.
pub(crate) fn error(err: &anyhow::Error) {
    let style = AnsiColor::Red.on_default().bold();
    say(style, "error", format_args!("{err:#}"));
}

fn say(style: Style, head: &str, what: impl Display) {
    eprintln!("{style}{head}:{style:#} {what}");
}
