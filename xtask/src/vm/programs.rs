//! The programs that the machine runs: the very ones of `cargo xtask test`.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::test;

/// What cargo has built.
#[derive(Debug)]
pub(super) struct Programs {
    /// The test programs, in the order they run.
    pub(super) tests: Vec<Test>,
    /// What the tests run in their turn.
    pub(super) others: Vec<PathBuf>,
}

/// A test program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) suite: &'static str,
    /// The name of its file in `tests/tests`.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// Builds them.
pub(super) fn build(suites: &[(&'static str, Vec<String>)]) -> Result<Programs> {
    let mut cargo = test::programs_of_tests();
    cargo.args(suites.iter().flat_map(|(_, names)| names).flat_map(|name| ["--test", name]));
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for ((kind, name), path) in executables(&mut cargo)? {
        let suite = suites.iter().find(|(_, names)| names.contains(&name));
        match (kind.as_str(), suite) {
            ("test", Some((suite, _))) => found.push(Test { suite, name, path }),
            ("bin", _) => others.push(path),
            _ => {}
        }
    }
    let place = |test: &Test| suites.iter().position(|(suite, _)| *suite == test.suite);
    found.sort_by_key(|test| (place(test), test.name.clone()));
    Ok(Programs { tests: found, others })
}

/// Runs cargo; the kind, the name and the path of each executable that it has built or found built.
pub(super) fn executables(cargo: &mut Command) -> Result<Vec<((String, String), PathBuf)>> {
    cargo.args(["--quiet", "--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let out = cargo.output().context("cannot start cargo")?;
    if !out.status.success() {
        bail!("cargo cannot build what the machine is to run");
    }
    let messages = String::from_utf8(out.stdout).context("cargo's messages are not text")?;
    Ok(messages.lines().filter_map(executable).collect())
}

fn executable(message: &str) -> Option<((String, String), PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let text = |pointer| message.pointer(pointer).and_then(Value::as_str).map(ToOwned::to_owned);
    Some(((text("/target/kind/0")?, text("/target/name")?), text("/executable")?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_where_executables_are() {
        let message = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"a"},"executable":"/t/a-1"}"#;
        assert_eq!(executable(message), Some((("test".to_owned(), "a".to_owned()), "/t/a-1".into())));
        let library = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"a"},"executable":null}"#;
        assert_eq!(executable(library), None);
    }
}
