//! `ipv6-sg pd`: prefixes for VMs, recorded in Kea's hosts database.

mod allocate;
mod check;
mod init;
mod list;
mod rebuild;
mod release;
mod sync;

use std::fmt::Display;
use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use ipv6_sg_common::mac::Mac;
use serde::Serialize;

use super::context::Context;
use super::output::{self, Format, Out};
use crate::pd::{PdError, Pool};
use crate::state::{Pd as Section, value};

/// Give VMs prefixes of a pool, recorded where the DHCPv6 server looks them up
///
/// Kea's hosts database is the only record; [pd] of the settings names it and the pool. Any number of machines may give prefixes at
/// once: no two overlap, and what is interrupted is not done at all.
#[derive(Debug, clap::Args)]
pub(super) struct Pd {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Init),
    Allocate(allocate::Allocate),
    Release(release::Release),
    List(list::List),
    Rebuild(rebuild::Rebuild),
    Check(check::Check),
    Sync(sync::Sync),
}

impl Pd {
    /// Runs the verb.
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        match self.verb {
            Verb::Init(verb) => verb.run(context),
            Verb::Allocate(verb) => verb.run(context),
            Verb::Release(verb) => verb.run(context),
            Verb::List(verb) => verb.run(context),
            Verb::Rebuild(verb) => verb.run(context),
            Verb::Check(verb) => verb.run(context),
            Verb::Sync(verb) => verb.run(context),
        }
    }
}

/// The section of the settings.
fn section(context: &Context) -> Result<Section> {
    let missing = "the settings have no [pd]; write its pool and its database";
    context.settings()?.pd.context(missing)
}

/// Does something with the pool that the settings name.
fn with_pool<T>(settings: &Section, work: impl AsyncFnOnce(&mut Pool) -> Result<T, PdError>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut pool = Pool::open(settings).await?;
        let done = work(&mut pool).await?;
        pool.close().await;
        Ok(done)
    })
}

/// A VM's MAC.
fn mac(text: &str) -> Result<Mac> {
    value::mac(text).with_context(|| format!("MAC {text:?}"))
}

/// A VM's name.
fn vm(text: &str) -> Result<String> {
    value::name(text).with_context(|| format!("VM {text:?}"))
}

/// Prints what is wrong with something, and fails when anything is.
fn findings<F: Serialize>(
    out: &mut Out,
    format: Format,
    findings: &[F],
    headings: [&str; 2],
    row: impl Fn(&F) -> [String; 2],
    place: impl Display,
) -> Result<()> {
    if format.json {
        output::json(out, &findings)?;
    } else if findings.is_empty() {
        writeln!(out, "sound")?;
    } else {
        output::table(out, Some(headings), findings.iter().map(row))?;
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{place}: {count} problem{}", if count == 1 { "" } else { "s" }),
    }
}
