//! `ipv6-sg config`: the settings in effect.

use std::io::Write as _;

use anyhow::Result;

use super::context::Context;
use super::output::{self, Format};

/// Print the effective settings, defaults included
#[derive(Debug, clap::Args)]
pub(super) struct Config {
    #[command(flatten)]
    format: Format,
}

impl Config {
    pub(super) fn run(self, context: &mut Context) -> Result<()> {
        let settings = context.settings()?;
        if self.format.json {
            return output::json(&mut context.out, &settings);
        }
        write!(context.out, "{}", toml::to_string(&settings)?)?;
        Ok(())
    }
}
