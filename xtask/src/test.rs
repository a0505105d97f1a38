//! `cargo xtask test`: the suites, and which test files belong to each.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

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
    /// Packages whose own tests belong to it, and need no root; each line is one run of cargo.
    packages: &'static [&'static [&'static str]],
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

/// The package whose test files load programs and make network namespaces.
pub(crate) const END_TO_END: &str = "ipv6-sg-tests";

/// In the order they run: the quickest to tell that something is wrong comes first.
const SUITES: &[Suite] = &[
    Suite {
        name: "unit",
        packages: &[&["-p", "ipv6-sg-common", "-p", "ipv6-sg-user", "-p", "xtask"], &["-p", END_TO_END, "--lib"]],
        prefixes: &[],
        stage: Stage::Bare,
    },
    Suite {
        name: "bpf",
        packages: &[],
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
    Suite { name: "net", packages: &[], prefixes: &["corpus_net", "stories_net", "net_"], stage: Stage::Bare },
    Suite { name: "daemon", packages: &[], prefixes: &["daemon_", "cli_"], stage: Stage::Bare },
    Suite { name: "cloudstack", packages: &[], prefixes: &["cloudstack_"], stage: Stage::CloudStack },
    Suite { name: "pd", packages: &[], prefixes: &["pd_"], stage: Stage::Kea },
    Suite { name: "delegation", packages: &[], prefixes: &["delegation_"], stage: Stage::Delegation },
    Suite { name: "guest", packages: &[], prefixes: &["guest_"], stage: Stage::Guests },
    Suite { name: "dist", packages: &[], prefixes: &["dist_"], stage: Stage::Packages },
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
    let mut files = by_suite(test_files(&sh::workspace().join("tests/tests"))?)?;
    let mut chosen = Vec::new();
    for suite in SUITES {
        let named = args.suites.iter().any(|name| name == suite.name);
        let files = files.remove(suite.name).unwrap_or_default();
        if named && files.is_empty() && suite.packages.is_empty() {
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
        for packages in suite.packages {
            cargo_test(suite, packages, args)?;
        }
        if !files.is_empty() {
            // They run the real binary, which cargo does not build for another package's tests.
            sh::run(sh::cargo().args(["build", "--quiet", "--package", "ipv6-sg-user", "--bins"]))?;
            let mut flags = vec!["-p", END_TO_END];
            flags.extend(files.iter().flat_map(|file| ["--test", file]));
            cargo_test(suite, &flags, args)?;
        }
    }
    Ok(())
}

fn cargo_test(suite: &Suite, flags: &[&str], args: &Args) -> Result<()> {
    let mut cargo = sh::cargo();
    match suite.stage {
        Stage::Bare => &mut cargo,
        Stage::CloudStack => cargo.env(python::VARIABLE, python::prepare()?),
        Stage::Kea | Stage::Delegation => cargo.env(kea::RELEASES, kea::prepare()?),
        Stage::Guests => cargo.env(vm::GUEST, vm::guest()?),
        Stage::Packages => cargo.env(dist::PACKAGES, dist::for_tests()?),
    };
    ui::step("test", suite.name);
    sh::run(cargo.arg("test").args(flags).arg("--").args(&args.args))
}

/// The test programs that cargo makes of a folder.
fn test_files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let cannot_read = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot_read)? {
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
    let mut files = by_suite(test_files(&sh::workspace().join("tests/tests"))?)?;
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
