//! `[[port]]`

use serde::Deserialize;
use toml::Spanned;

use super::{Document, list};
use crate::state::{Echo, Error, Port, value};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    vm: Spanned<String>,
    interface: Spanned<String>,
    mac: Spanned<String>,
    network: Spanned<String>,
    #[serde(default)]
    addresses: Vec<Spanned<String>>,
    #[serde(default)]
    delegated: Vec<Spanned<String>>,
    security_groups: Option<Vec<Spanned<String>>>,
    echo: Option<Echo>,
}

impl Entry {
    pub(super) fn check(&self, document: &Document, index: usize) -> Result<Port, Error> {
        let vm = document.value(|| format!("port[{index}] vm"), &self.vm, value::name)?;
        let key = |key: &str| format!("port {vm:?} {key}");
        let groups = self.security_groups.as_ref();
        Ok(Port {
            interface: document.value(|| key("interface"), &self.interface, value::interface)?,
            mac: document.value(|| key("mac"), &self.mac, value::mac)?,
            network: document.value(|| key("network"), &self.network, value::name)?,
            addresses: list(document, &key("addresses"), &self.addresses, value::address)?,
            delegated: list(document, &key("delegated"), &self.delegated, value::prefix)?,
            security_groups: groups
                .map(|groups| list(document, &key("security_groups"), groups, value::name))
                .transpose()?,
            echo: self.echo,
            origin: document.origin_of(&self.vm),
            vm,
        })
    }
}
