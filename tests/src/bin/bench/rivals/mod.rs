//! What the guard is compared with, and how their programs are run.

pub mod nft;
pub mod stock;

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs a program in this thread's network namespace, lets it read this, and waits for its end.
///
/// # Errors
/// It is not there, or it refuses; the error has its words.
pub fn run<'a>(program: &str, words: impl IntoIterator<Item = &'a str>, input: &str) -> Result<()> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child =
        command.spawn().with_context(|| format!("cannot start {program}; `cargo xtask bench` installs it"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Where it does not read all of it, what it says about that is of more use than this error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let out = child.wait_with_output().with_context(|| format!("{program} does not end"))?;
    if !out.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}
