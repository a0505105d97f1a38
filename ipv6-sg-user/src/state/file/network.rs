//! `[network.NAME]`

use serde::Deserialize;
use toml::Spanned;

use super::{Document, list};
use crate::state::{Error, Network, value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    prefixes: Vec<Spanned<String>>,
    #[serde(default)]
    routers: Vec<Spanned<String>>,
}

impl Entry {
    pub(super) fn check(&self, document: &Document, name: &Spanned<String>) -> Result<Network, Error> {
        let key = |key: &str| format!("network {:?} {key}", name.get_ref());
        Ok(Network {
            name: document.value(|| "network".to_owned(), name, value::name)?,
            prefixes: list(document, &key("prefixes"), &self.prefixes, value::announced)?,
            routers: list(document, &key("routers"), &self.routers, value::router)?,
            origin: document.origin_of(name),
        })
    }
}
