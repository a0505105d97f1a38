//! The daemon's settings: `config.toml`. Every key has a default; a key that does not exist is an error.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipv6_sg_common::abi::FLOWS_PER_PORT;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use wildmatch::WildMatch;

use super::document::Document;
use super::{Error, Problem, value};

mod cloudstack;
mod database;
mod pd;
mod source;

pub use cloudstack::Cloudstack;
pub use database::Database;
pub use pd::Pd;
pub use source::{ManagementServer, Source};

/// Where the settings are when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/ipv6-sg/config.toml";

/// The bounds of [`Conntrack::entries_per_port`]: fewer is no tracking, more is memory that one VM should not hold.
const ENTRIES_PER_PORT: (u32, u32) = (64, 1 << 20);

/// The XDP shield.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Xdp {
    /// None.
    #[default]
    Off,
    /// In the driver; an error where it cannot be.
    Native,
    /// In the network stack.
    Generic,
    /// In the driver where it can be, else in the network stack.
    Auto,
}

/// What becomes of IPv4 and ARP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ipv4 {
    /// Left to whatever filters them today.
    #[default]
    Pass,
    /// Dropped.
    Drop,
}

/// Who decides on echo requests and replies beyond the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Echo {
    /// Nobody: they pass.
    #[default]
    Always,
    /// The port's rules.
    Rules,
}

impl Echo {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Rules => "rules",
        }
    }
}

/// The effective settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// The state files.
    pub state_dir: PathBuf,
    /// The API socket.
    pub run_dir: PathBuf,
    /// What other sources last said.
    pub data_dir: PathBuf,
    /// A bpffs, or where one is mounted.
    pub pin_dir: PathBuf,
    /// The XDP shield.
    pub xdp: Xdp,
    /// IPv4 and ARP.
    pub ipv4: Ipv4,
    /// Echo on ports that do not say themselves.
    pub echo: Echo,
    /// Patterns of interfaces that drop everything until their state arrives.
    pub quarantine: Vec<String>,
    /// Where metrics are served, if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// The memory of flows.
    pub conntrack: Conntrack,
    /// CloudStack's agent on this host.
    pub cloudstack: Cloudstack,
    /// Prefix delegation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pd: Option<Pd>,
    /// Sources of the desired state that are asked.
    #[serde(skip_serializing_if = "Source::is_empty")]
    pub source: Source,
}

/// The memory of flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Conntrack {
    /// How many flows one port can have at once.
    pub entries_per_port: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: "/etc/ipv6-sg/state.d".into(),
            run_dir: "/run/ipv6-sg".into(),
            data_dir: "/var/lib/ipv6-sg".into(),
            pin_dir: "/sys/fs/bpf/ipv6-sg".into(),
            xdp: Xdp::default(),
            ipv4: Ipv4::default(),
            echo: Echo::default(),
            quarantine: Vec::new(),
            metrics: None,
            conntrack: Conntrack { entries_per_port: FLOWS_PER_PORT },
            cloudstack: Cloudstack::default(),
            pd: None,
            source: Source::default(),
        }
    }
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    state_dir: Option<Spanned<String>>,
    run_dir: Option<Spanned<String>>,
    data_dir: Option<Spanned<String>>,
    pin_dir: Option<Spanned<String>>,
    #[serde(default)]
    xdp: Xdp,
    #[serde(default)]
    ipv4: Ipv4,
    #[serde(default)]
    echo: Echo,
    #[serde(default)]
    quarantine: Vec<Spanned<String>>,
    metrics: Option<Spanned<String>>,
    #[serde(default)]
    conntrack: ConntrackEntries,
    #[serde(default)]
    cloudstack: cloudstack::Entries,
    pd: Option<pd::Entries>,
    #[serde(default)]
    source: source::Entries,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConntrackEntries {
    entries_per_port: Option<Spanned<u32>>,
}

impl Settings {
    /// The settings in a file that somebody named.
    ///
    /// # Errors
    /// The file is missing, unreadable or wrong.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::of(&Document::read(path)?)
    }

    /// The settings in the default file; the defaults when there is none.
    ///
    /// # Errors
    /// The file is unreadable or wrong.
    pub fn load_default() -> Result<Self, Error> {
        match Self::load(Path::new(DEFAULT_PATH)) {
            Err(Error::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            other => other,
        }
    }

    /// The settings in `text`; `path` is for messages.
    ///
    /// # Errors
    /// The text is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        Self::of(&Document::new(path, text.to_owned()))
    }

    /// Whether an interface without state drops everything.
    pub fn quarantines(&self, interface: &str) -> bool {
        self.quarantine.iter().any(|pattern| WildMatch::new(pattern).matches(interface))
    }

    fn of(document: &Document) -> Result<Self, Error> {
        let entries: Entries = document.entries()?;
        let default = Self::default();
        let directory = |key: &str, written: Option<Spanned<String>>, default: PathBuf| match written {
            None => Ok(default),
            Some(text) => document.value(|| key.to_owned(), &text, absolute),
        };
        let mut quarantine = Vec::new();
        for (index, text) in entries.quarantine.iter().enumerate() {
            quarantine.push(document.value(|| format!("quarantine[{index}]"), text, pattern)?);
        }
        let metrics = entries.metrics.map(|text| document.value(|| "metrics".to_owned(), &text, socket)).transpose()?;
        let entries_per_port = match entries.conntrack.entries_per_port {
            None => default.conntrack.entries_per_port,
            Some(number) => {
                let (least, most) = ENTRIES_PER_PORT;
                if !(least..=most).contains(number.get_ref()) {
                    let (key, value) = ("conntrack.entries_per_port".to_owned(), number.get_ref().to_string());
                    return Err(document.invalid(&number, key, value, Problem::OutOfBounds(least, most)));
                }
                number.into_inner()
            }
        };
        Ok(Self {
            state_dir: directory("state_dir", entries.state_dir, default.state_dir)?,
            run_dir: directory("run_dir", entries.run_dir, default.run_dir)?,
            data_dir: directory("data_dir", entries.data_dir, default.data_dir)?,
            pin_dir: directory("pin_dir", entries.pin_dir, default.pin_dir)?,
            xdp: entries.xdp,
            ipv4: entries.ipv4,
            echo: entries.echo,
            quarantine,
            metrics,
            conntrack: Conntrack { entries_per_port },
            cloudstack: entries.cloudstack.checked(document)?,
            pd: entries.pd.map(|entries| entries.checked(document)).transpose()?,
            source: entries.source.checked(document)?,
        })
    }
}

fn absolute(text: &str) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err(Problem::RelativePath) }
}

fn socket(text: &str) -> Result<SocketAddr, Problem> {
    text.parse().map_err(|_| Problem::NotASocket)
}

fn pattern(text: &str) -> Result<String, Problem> {
    if text.is_empty() || !value::interface_characters(text) { Err(Problem::NotAPattern) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests;
