//! `cargo xtask test`: the suites, and which test files belong to each.

use std::{collections::BTreeMap, ffi::OsString, fs, process::Command};

use anyhow::{Context as _, Result, bail};
use clap::builder::PossibleValuesParser;

use crate::{
    dist, kea, python,
    setup::{self, Need},
    sh, ui, vm,
};

/// A part of the tests that can be run alone.
struct Suite {
    name: &'static str,
    /// Whether the packages' own tests belong to it, which need no root.
    has_own: bool,
    /// How the names of its files in `tests/tests` begin.
    prefixes: &'static [&'static str],
    /// What it puts on the stage.
    stage: Stage,
}

/// What a suite needs that is made before it runs, and that makes no sense in a virtual machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing.
    Bare,
    /// A public client of CloudStack's API.
    CloudStack,
    /// Databases, and Kea's releases.
    Kea,
    /// A DHCPv6 server with its database, relays and clients.
    Delegation,
    /// Virtual machines, and what delegates prefixes to them.
    Guests,
    /// Debian packages, and a systemd to install them beside.
    Packages,
}

impl Stage {
    const fn needs(self) -> &'static [Need] {
        match self {
            Self::Bare => &[],
            Self::CloudStack => &[Need::CloudStack],
            // The keys of other releases are a machine's.
            Self::Kea => &[Need::Kea, Need::Machine],
            Self::Delegation => &[Need::Kea, Need::Machine, Need::Delegation],
            Self::Guests => &[Need::Machine, Need::Guest, Need::Kea, Need::Delegation],
            Self::Packages => &[Need::Dist, Need::System],
        }
    }
}

/// The folder whose test files load programs and make network namespaces, and those that do not.
const END_TO_END: &str = "tests/tests";
const OWN: [&str; 2] = ["ipv6-sg-common/tests", "ipv6-sg-user/tests"];

/// Programs that have tests of their own in them.
const PROGRAMS: [&str; 2] = ["ipv6-sg", "xtask"];

/// In the order they run: the quickest to tell that something is wrong comes first.
const SUITES: &[Suite] = &[
    Suite { name: "unit", has_own: true, prefixes: &[], stage: Stage::Bare },
    Suite {
        name: "bpf",
        has_own: false,
        prefixes: &[
            "corpus_host",
            "corpus_bpf",
            "stories_host",
            "stories_bpf",
            "verifier",
            "exhaustive",
            "differential",
        ],
        stage: Stage::Bare,
    },
    Suite { name: "net", has_own: false, prefixes: &["corpus_net", "stories_net", "net_"], stage: Stage::Bare },
    Suite { name: "daemon", has_own: false, prefixes: &["daemon_", "cli_"], stage: Stage::Bare },
    Suite { name: "cloudstack", has_own: false, prefixes: &["cloudstack_"], stage: Stage::CloudStack },
    Suite { name: "pd", has_own: false, prefixes: &["pd_"], stage: Stage::Kea },
    Suite { name: "delegation", has_own: false, prefixes: &["delegation_"], stage: Stage::Delegation },
    Suite { name: "guest", has_own: false, prefixes: &["guest_"], stage: Stage::Guests },
    Suite { name: "dist", has_own: false, prefixes: &["dist_"], stage: Stage::Packages },
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these suites
    #[arg(value_parser = PossibleValuesParser::new(SUITES.iter().map(|suite| suite.name)))]
    suites: Vec<String>,
    /// For the test programs: a filter, or any of their options
    #[arg(last = true)]
    args: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut files = by_suite(test_files(END_TO_END)?)?;
    let mut chosen = Vec::new();
    for suite in SUITES {
        let named = args.suites.iter().any(|name| name == suite.name);
        let files = files.remove(suite.name).unwrap_or_default();
        if named && files.is_empty() && !suite.has_own {
            bail!("no file in tests/tests begins with {}", suite.prefixes.join(" or "));
        }
        if named || args.suites.is_empty() {
            chosen.push((suite, files));
        }
    }

    let mut needs = vec![Need::Build];
    if chosen.iter().any(|(_, files)| !files.is_empty()) {
        if !setup::is_root() {
            bail!(
                "programs are loaded into the kernel and network namespaces made: run this as root, \
                 or `cargo xtask test unit`, which does without"
            );
        }
        needs.push(Need::Test);
    }
    for (suite, _) in &chosen {
        needs.extend(suite.stage.needs());
    }
    setup::ensure(&needs)?;

    for (suite, files) in chosen {
        if suite.has_own {
            let own = OWN.iter().map(|folder| test_files(folder)).collect::<Result<Vec<_>>>()?.concat();
            let mut targets = vec!["--lib"];
            targets.extend(PROGRAMS.iter().flat_map(|program| ["--bin", program]));
            targets.extend(own.iter().flat_map(|file| ["--test", file]));
            cargo_test(suite, &targets, args)?;
            cargo_test(suite, &["--doc"], args)?;
        }
        if !files.is_empty() {
            sh::run(programs_of_tests().arg("--quiet"))?;
            let targets: Vec<_> = files.iter().flat_map(|file| ["--test", file]).collect();
            cargo_test(suite, &targets, args)?;
        }
    }
    Ok(())
}

/// Builds the programs that tests run, `ipv6-sg` among them: cargo builds those of a package for its own tests alone.
pub(crate) fn programs_of_tests() -> Command {
    let mut cargo = sh::cargo_for_all("test");
    cargo.args(["--no-run", "--test", "cli", "--test", "guest_tap"]);
    cargo
}

fn cargo_test(suite: &Suite, targets: &[&str], args: &Args) -> Result<()> {
    let mut cargo = sh::cargo_for_all("test");
    match suite.stage {
        Stage::Bare => &mut cargo,
        Stage::CloudStack => cargo.env(python::VARIABLE, python::prepare()?),
        Stage::Kea | Stage::Delegation => cargo.env(kea::RELEASES, kea::prepare()?),
        Stage::Guests => cargo.env(vm::GUEST, vm::guest()?),
        Stage::Packages => cargo.env(dist::PACKAGES, dist::for_tests()?),
    };
    ui::step("test", suite.name);
    sh::run(cargo.args(targets).arg("--").args(&args.args))
}

/// The test programs that cargo makes of a folder of the workspace.
fn test_files(folder: &str) -> Result<Vec<String>> {
    let folder = sh::workspace().join(folder);
    let mut names = Vec::new();
    let cannot_read = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(&folder).with_context(cannot_read)? {
        let path = entry.with_context(cannot_read)?.path();
        let program = path.extension().is_some_and(|rs| rs == "rs") || path.join("main.rs").exists();
        if program && let Some(name) = path.file_stem() {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The suites that have test files, in the order they run, with these.
pub(crate) fn end_to_end() -> Result<Vec<(&'static str, Vec<String>)>> {
    let mut files = by_suite(test_files(END_TO_END)?)?;
    Ok(end_to_end_suites().filter_map(|suite| Some((suite, files.remove(suite)?))).collect())
}

/// The names of the suites that may have test files.
pub(crate) fn end_to_end_suites() -> impl Iterator<Item = &'static str> {
    SUITES.iter().filter(|suite| !suite.prefixes.is_empty() && suite.stage == Stage::Bare).map(|suite| suite.name)
}

/// Gives each test program to its suite; one that no suite would run is an error, not forgotten.
fn by_suite(names: Vec<String>) -> Result<BTreeMap<&'static str, Vec<String>>> {
    let mut suites = BTreeMap::<_, Vec<_>>::new();
    for name in names {
        let owner = SUITES.iter().find(|suite| suite.prefixes.iter().any(|prefix| name.starts_with(prefix)));
        let Some(owner) = owner else {
            let known: Vec<_> = SUITES.iter().flat_map(|suite| suite.prefixes).copied().collect();
            bail!(
                "tests/tests/{name} belongs to no suite: begin its name with one of {}, or give it a suite in xtask/src/test.rs",
                known.join(", ")
            );
        };
        suites.entry(owner.name).or_default().push(name);
    }
    Ok(suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_goes_to_the_suite_of_its_prefix() {
        let suites = by_suite(names(&["cli_check", "corpus_bpf", "corpus_net", "net_ra"])).expect("all known");
        assert_eq!(suites.get("bpf"), Some(&names(&["corpus_bpf"])));
        assert_eq!(suites.get("net"), Some(&names(&["corpus_net", "net_ra"])));
        assert_eq!(suites.get("daemon"), Some(&names(&["cli_check"])));
    }

    #[test]
    fn a_file_of_no_suite_is_an_error_that_names_it() {
        let err = by_suite(names(&["net_ra", "stray"])).expect_err("no suite runs it");
        assert!(err.to_string().contains("tests/tests/stray"), "{err}");
    }
}
