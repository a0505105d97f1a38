//! `[source.…]`: where the desired state is asked for, beside the state files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::super::document::Document;
use super::super::{Error, Problem};
use super::absolute;

/// The bounds of [`ManagementServer::interval`], in seconds: oftener is a burden, and seldomer is out of date.
const INTERVAL: (u32, u32) = (5, 3600);

/// Sources that are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// CloudStack's management server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudstack: Option<ManagementServer>,
}

impl Source {
    /// Whether nobody is asked.
    pub const fn is_empty(&self) -> bool {
        self.cloudstack.is_none()
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

/// As it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entries {
    cloudstack: Option<ManagementServerEntries>,
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
        Ok(Source { cloudstack: self.cloudstack.map(|entries| entries.checked(document)).transpose()? })
    }
}

impl ManagementServerEntries {
    fn checked(self, document: &Document) -> Result<ManagementServer, Error> {
        let key = |name: &str| format!("source.cloudstack.{name}");
        let path = |name: &str, text: &Spanned<String>| document.value(|| key(name), text, absolute);
        let (least, most) = INTERVAL;
        let interval = match self.interval {
            None => 60,
            Some(number) if (least..=most).contains(number.get_ref()) => number.into_inner(),
            Some(number) => {
                let value = number.get_ref().to_string();
                return Err(document.invalid(&number, key("interval"), value, Problem::OutOfBounds(least, most)));
            }
        };
        Ok(ManagementServer {
            url: document.value(|| key("url"), &self.url, url)?,
            api_key_file: path("api_key_file", &self.api_key_file)?,
            secret_key_file: path("secret_key_file", &self.secret_key_file)?,
            host: self.host,
            interval,
            ca_file: self.ca_file.map(|text| path("ca_file", &text)).transpose()?,
        })
    }
}

fn url(text: &str) -> Result<String, Problem> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty()) { Ok(text.to_owned()) } else { Err(Problem::NotAUrl) }
}
