//! What the machine tells of its tests, line by line.

use std::{collections::BTreeMap, path::Path};

use super::programs::Test;

/// How the lines begin that init.sh says itself.
const MARK: &str = "@@ ";
/// How a test says what this kernel cannot do, and that it therefore has not looked at.
const WITHOUT: &str = "not on this kernel: ";
/// How a test says how many instructions of a program the verifier has looked at.
const VERIFIED: &str = "instructions verified: ";

/// How many tests of a suite passed, and so on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
    /// Not run, or found that the kernel lacks what they are about.
    pub(super) left_out: u32,
}

/// A test program that failed, or the machine, and all it said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) program: String,
    pub(super) said: Vec<String>,
}

/// All of a machine's tests.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) suites: BTreeMap<&'static str, Tally>,
    /// Instructions by the program's name.
    pub(super) verified: BTreeMap<String, u32>,
    /// Tests that could not look, each with the reason.
    pub(super) left_out: Vec<(String, String)>,
    pub(super) failures: Vec<Failure>,
    /// How many programs came to their end.
    ended: usize,
    current: Option<Current>,
}

/// The test program that is running.
#[derive(Debug)]
struct Current {
    program: Test,
    /// Whose output the lines are.
    test: String,
    /// Tests that could not look: the program does not know better than to count them as passed.
    without: u32,
    /// Whether it has come to its end by itself.
    counted: bool,
    said: Vec<String>,
}

impl Outcome {
    /// Whether all of these ran.
    pub(super) fn is_complete(&self, tests: &[Test]) -> bool {
        self.ended == tests.len()
    }

    /// The machine itself is not as it should be.
    pub(super) fn broken(&mut self, why: &str) {
        self.failures.push(Failure { program: "the machine".to_owned(), said: vec![why.to_owned()] });
    }

    /// Takes in a line; tells which program begins with it.
    pub(super) fn line<'a>(&mut self, line: &str, tests: &'a [Test]) -> Option<&'a Test> {
        if let Some(mark) = line.strip_prefix(MARK) {
            return self.mark(mark, tests);
        }
        let current = self.current.as_mut()?;
        current.said.push(line.to_owned());
        if let Some(name) = line.strip_prefix("---- ").and_then(|line| line.strip_suffix(" stdout ----")) {
            name.clone_into(&mut current.test);
        } else if let Some(reason) = line.strip_prefix(WITHOUT) {
            current.without += 1;
            self.left_out.push((current.test.clone(), reason.to_owned()));
        } else if let Some(what) = line.strip_prefix(VERIFIED) {
            let words = what.split_once(' ').and_then(|(name, count)| Some((name, count.parse().ok()?)));
            self.verified.extend(words.map(|(name, count)| (name.to_owned(), count)));
        } else if let Some([passed, failed, filtered]) = result(line) {
            current.counted = true;
            let suite = self.suites.entry(current.program.suite).or_default();
            suite.passed += passed.saturating_sub(current.without);
            suite.failed += failed;
            suite.left_out += filtered + current.without;
        }
        None
    }

    fn mark<'a>(&mut self, mark: &str, tests: &'a [Test]) -> Option<&'a Test> {
        let (verb, rest) = mark.split_once(' ').unwrap_or((mark, ""));
        match verb {
            "start" => {
                let program = tests.iter().find(|test| test.path == Path::new(rest))?;
                let (test, said) = (String::new(), Vec::new());
                self.current = Some(Current { program: program.clone(), test, without: 0, counted: false, said });
                return Some(program);
            }
            "end" => {
                let Current { program, counted, said, .. } = self.current.take()?;
                self.ended += 1;
                if rest != "0" {
                    self.suites.entry(program.suite).or_default().failed += u32::from(!counted);
                    self.failures.push(Failure { program: format!("{}, exit code {rest}", program.name), said });
                }
            }
            "broken" => self.broken(rest),
            _ => {}
        }
        None
    }
}

/// Passed, failed and filtered out in the last line of a test program.
fn result(line: &str) -> Option<[u32; 3]> {
    let counts = line.strip_prefix("test result: ")?;
    let (_, counts) = counts.split_once(". ")?;
    let of = |word: &str| {
        let count = counts.split("; ").find_map(|part| part.strip_suffix(word));
        count.and_then(|count| count.trim().parse().ok())
    };
    Some([of("passed")?, of("failed")?, of("filtered out")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests() -> [Test; 2] {
        ["a", "b"].map(|name| Test { suite: "bpf", name: name.to_owned(), path: name.into() })
    }

    fn outcome(lines: &[&str]) -> Outcome {
        let mut outcome = Outcome::default();
        for line in lines {
            outcome.line(line, &tests());
        }
        outcome
    }

    const GOOD: &str = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out; finished in 2.00s";
    const BAD: &str =
        "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.00s";

    #[test]
    fn counts_are_summed_by_suite() {
        let outcome = outcome(&["@@ start a", GOOD, "@@ end 0", "@@ start b", GOOD, "@@ end 0"]);
        assert_eq!(outcome.suites.get("bpf"), Some(&Tally { passed: 6, failed: 0, left_out: 2 }));
        assert!(outcome.is_complete(&tests()) && outcome.failures.is_empty());
    }

    #[test]
    fn what_a_test_found_missing_is_told_apart() {
        let lines = ["@@ start a", "---- links stdout ----", "not on this kernel: TCX", GOOD, "@@ end 0"];
        let outcome = outcome(&lines);
        assert_eq!(outcome.left_out, [("links".to_owned(), "TCX".to_owned())]);
        assert_eq!(outcome.suites.get("bpf"), Some(&Tally { passed: 2, failed: 0, left_out: 2 }));
    }

    #[test]
    fn a_program_that_fails_or_dies_is_a_failure_with_all_it_said() {
        let lines = ["@@ start a", "why", BAD, "@@ end 101", "@@ start b", "last words", "@@ end 137"];
        let outcome = outcome(&lines);
        assert_eq!(outcome.suites.get("bpf"), Some(&Tally { passed: 3, failed: 3, left_out: 0 }));
        let said: Vec<_> = outcome.failures.iter().map(|failure| (&*failure.program, failure.said.join("|"))).collect();
        assert_eq!(said, [("a, exit code 101", format!("why|{BAD}")), ("b, exit code 137", "last words".to_owned())]);
    }

    #[test]
    fn a_machine_that_stops_half_way_or_runs_something_else_is_not_complete() {
        assert!(!outcome(&["@@ start a", GOOD, "@@ end 0"]).is_complete(&tests()));
        assert!(!outcome(&["@@ start a", GOOD, "@@ end 0", "@@ start b", GOOD]).is_complete(&tests()));
        assert!(!outcome(&["@@ start a", GOOD, "@@ end 0", "@@ start c", GOOD, "@@ end 0"]).is_complete(&tests()));
    }

    #[test]
    fn the_verifiers_work_is_read() {
        let outcome = outcome(&["@@ start a", "instructions verified: ipv6_sg_to_vm 25000"]);
        assert_eq!(outcome.verified.get("ipv6_sg_to_vm"), Some(&25_000));
    }
}
