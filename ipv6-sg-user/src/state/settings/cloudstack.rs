//! `[cloudstack]`: what goes with CloudStack's agent on this host.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::super::Error;
use super::super::document::Document;
use super::absolute;

/// What CloudStack's agent brings along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cloudstack {
    /// The script that filters IPv4, to which each call is passed on; none, and IPv4 is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_script: Option<PathBuf>,
    /// Where libvirt describes the VMs that run.
    pub libvirt_dir: PathBuf,
}

impl Default for Cloudstack {
    fn default() -> Self {
        Self { ipv4_script: None, libvirt_dir: "/run/libvirt/qemu".into() }
    }
}

/// As it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    ipv4_script: Option<Spanned<String>>,
    libvirt_dir: Option<Spanned<String>>,
}

impl Entries {
    pub(super) fn checked(self, document: &Document) -> Result<Cloudstack, Error> {
        let path = |key: &str, written: Option<Spanned<String>>| {
            written.map(|text| document.value(|| format!("cloudstack.{key}"), &text, absolute)).transpose()
        };
        Ok(Cloudstack {
            ipv4_script: path("ipv4_script", self.ipv4_script)?,
            libvirt_dir: path("libvirt_dir", self.libvirt_dir)?.unwrap_or(Cloudstack::default().libvirt_dir),
        })
    }
}
