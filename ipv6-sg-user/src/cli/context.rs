//! What every verb is given: where the settings are, and where to print.

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use super::output::Out;
use crate::sources;
use crate::state::{Model, Settings, directory};

/// Names the settings file when no option does.
const CONFIG_VARIABLE: &str = "IPV6_SG_CONFIG";

/// Where the settings are.
#[derive(Clone, Debug)]
pub(super) struct Source(Option<PathBuf>);

/// The surroundings of a verb.
pub(super) struct Context {
    /// Where the settings are.
    pub(super) source: Source,
    /// Standard output.
    pub(super) out: Out,
}

impl Source {
    /// See [`Context::settings`].
    pub(super) fn settings(&self) -> Result<Settings> {
        Ok(match &self.0 {
            Some(path) => Settings::load(path)?,
            None => Settings::load_default()?,
        })
    }
}

impl Context {
    /// `config` is what the option said.
    pub(super) fn new(config: Option<PathBuf>) -> Self {
        let variable = || env::var_os(CONFIG_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { source: Source(config.or_else(variable)), out: Out::stdout() }
    }

    /// The effective settings. A file that somebody named must exist, the default one need not.
    pub(super) fn settings(&self) -> Result<Settings> {
        self.source.settings()
    }

    /// The state that these files and directories describe; when there are none, what all sources want.
    pub(super) fn model(&self, settings: &Settings, files: &[PathBuf]) -> Result<Model> {
        Ok(if files.is_empty() { sources::look(settings)? } else { directory::load_all(files)? })
    }
}
