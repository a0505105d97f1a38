//! `[source.…]`: where the desired state is asked for, beside the state files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::super::document::Document;
use super::super::{Error, Problem};
use super::pd::SUBNET_IDS;
use super::{Database, absolute};

/// The bounds of intervals, in seconds: oftener is a burden, and seldomer is out of date.
const INTERVAL: (u32, u32) = (5, 3600);

/// Sources that are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// CloudStack's management server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudstack: Option<ManagementServer>,
    /// The database of the DHCPv6 server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kea: Option<Kea>,
}

impl Source {
    /// Whether nobody is asked.
    pub const fn is_empty(&self) -> bool {
        self.cloudstack.is_none() && self.kea.is_none()
    }
}

/// CloudStack's management server: its HTTP API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManagementServer {
    /// Of the API.
    pub url: String,
    /// The file with the API key.
    pub api_key_file: PathBuf,
    /// The file with the secret key.
    pub secret_key_file: PathBuf,
    /// This host's name there; the machine's host name without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Seconds from one round of questions to the next.
    pub interval: u32,
    /// Authorities to believe besides the machine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// Kea's hosts database: which prefixes are reserved for VMs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kea {
    /// Where it is.
    #[serde(flatten)]
    pub database: Database,
    /// The subnet of Kea's that counts; all of them without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<u32>,
    /// Seconds from one question to the next, for a database that tells of no changes.
    pub interval: u32,
}

/// As it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    cloudstack: Option<ManagementServerEntries>,
    kea: Option<KeaEntries>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeaEntries {
    database: Spanned<String>,
    password_file: Option<Spanned<String>>,
    subnet_id: Option<Spanned<u32>>,
    interval: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManagementServerEntries {
    url: Spanned<String>,
    api_key_file: Spanned<String>,
    secret_key_file: Spanned<String>,
    host: Option<String>,
    interval: Option<Spanned<u32>>,
    ca_file: Option<Spanned<String>>,
}

impl Entries {
    pub(super) fn checked(self, document: &Document) -> Result<Source, Error> {
        Ok(Source {
            cloudstack: self.cloudstack.map(|entries| entries.checked(document)).transpose()?,
            kea: self.kea.map(|entries| entries.checked(document)).transpose()?,
        })
    }
}

impl ManagementServerEntries {
    fn checked(self, document: &Document) -> Result<ManagementServer, Error> {
        let key = |name: &str| format!("source.cloudstack.{name}");
        let path = |name: &str, text: &Spanned<String>| document.value(|| key(name), text, absolute);
        let interval =
            self.interval.map(|number| document.number(|| key("interval"), &number, INTERVAL)).transpose()?;
        Ok(ManagementServer {
            url: document.value(|| key("url"), &self.url, url)?,
            api_key_file: path("api_key_file", &self.api_key_file)?,
            secret_key_file: path("secret_key_file", &self.secret_key_file)?,
            host: self.host,
            interval: interval.unwrap_or(60),
            ca_file: self.ca_file.map(|text| path("ca_file", &text)).transpose()?,
        })
    }
}

impl KeaEntries {
    fn checked(self, document: &Document) -> Result<Kea, Error> {
        let number = |name: &str, written: Option<Spanned<u32>>, bounds| {
            written.map(|number| document.number(|| format!("source.kea.{name}"), &number, bounds)).transpose()
        };
        Ok(Kea {
            subnet_id: number("subnet_id", self.subnet_id, SUBNET_IDS)?,
            interval: number("interval", self.interval, INTERVAL)?.unwrap_or(30),
            database: Database::checked(document, "source.kea", &self.database, self.password_file.as_ref())?,
        })
    }
}

fn url(text: &str) -> Result<String, Problem> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty()) { Ok(text.to_owned()) } else { Err(Problem::NotAUrl) }
}
