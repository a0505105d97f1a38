//! Whoever gives prefixes: settings for a hosts database, and the verbs with them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Hosts;
use crate::lab::{Outcome, binary, outcome};

/// The pool of most tests, which has 16 prefixes of 60 bits.
pub const POOL: &str = "pool = \"2001:db8:f000::/56\"\n";

/// Settings, and the verbs with them.
pub struct Desk {
    config: PathBuf,
}

impl Desk {
    /// With `more` keys of `[pd]`, its pool among them.
    #[track_caller]
    pub fn new(hosts: &Hosts, more: &str) -> Self {
        let database = hosts.settings();
        let file = database.password_file.map(|path| format!("password_file = {path:?}\n")).unwrap_or_default();
        Self::with(hosts, &format!("[pd]\n{more}\ndatabase = {:?}\n{file}", database.url))
    }

    /// With these settings as a whole.
    #[track_caller]
    pub fn with(hosts: &Hosts, settings: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let config = hosts.server().path(&format!("{}.toml", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::write(&config, settings).expect("our own directory");
        Self { config }
    }

    /// A verb, ready to run.
    pub fn verb(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("pd").args(words).arg("--config").arg(&self.config);
        command
    }

    /// Runs it to its end.
    pub fn run(&self, words: &[&str]) -> Outcome {
        outcome(&mut self.verb(words))
    }

    /// Runs one that must succeed; what it prints.
    #[track_caller]
    pub fn done(&self, words: &[&str]) -> String {
        let outcome = self.run(words);
        assert!(outcome.code == Some(0) && outcome.err.is_empty(), "{words:?}: {outcome:?}");
        outcome.out
    }

    /// The same, by the lines that it prints.
    #[track_caller]
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        self.done(words).lines().map(ToOwned::to_owned).collect()
    }

    /// The same, of one that prints JSON.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> serde_json::Value {
        let text = self.done(&[words, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}\n{text}"))
    }

    /// Runs one that must be refused; the one line that it says.
    #[track_caller]
    pub fn refused(&self, words: &[&str]) -> String {
        let Outcome { code, out, err } = self.run(words);
        assert!(code == Some(1) && err.lines().count() == 1, "{words:?}: {code:?}\n{out}{err}");
        let line = err.trim_end().strip_prefix("error: ");
        line.unwrap_or_else(|| panic!("{words:?}: {err}")).to_owned()
    }
}
