//! `ipv6-sg check`: is the state sound, and what would each port get?

mod report;

use std::path::PathBuf;

use anyhow::Result;

use self::report::Report;
use super::context::Context;
use super::output::{self, Format};
use crate::compile::compile;

/// Validate state files and print what each port would get, without touching the kernel
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// State files, or directories of them; together the whole state [default: the state directory]
    files: Vec<PathBuf>,

    #[command(flatten)]
    format: Format,
}

impl Check {
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        let model = context.model(&settings, &self.files)?;
        let report = Report::new(&model, &compile(&model, &settings)?);
        if self.format.json { output::json(&mut context.out, &report) } else { Ok(report.print(&mut context.out)?) }
    }
}
