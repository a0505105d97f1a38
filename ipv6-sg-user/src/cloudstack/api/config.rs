//! Where the management server is, and what it is asked as: `[source.cloudstack]` of the settings.

use std::path::PathBuf;
use std::time::Duration;

use crate::poll::Rate;

/// What is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Of the API: `https://mgmt.example/client/api`.
    pub url: String,
    /// The file with the API key.
    pub api_key_file: PathBuf,
    /// The file with the secret key.
    pub secret_key_file: PathBuf,
    /// This host's name in CloudStack, or its id; the machine's host name without one.
    pub host: Option<String>,
    /// How long to wait from one question to the next.
    pub interval: Duration,
    /// Certificates of authorities to believe besides the machine's own, as PEM.
    pub ca_file: Option<PathBuf>,
}

impl Config {
    /// Many hosts ask one server.
    pub const fn rate(&self) -> Rate {
        Rate { interval: self.interval, least: Duration::from_secs(5), longest: Duration::from_secs(600) }
    }
}

/// How much patience there is with the management server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To connect.
    pub connect: Duration,
    /// For one answer as a whole, connecting included.
    pub answer: Duration,
    /// The longest answer, in bytes.
    pub bytes: u64,
    /// Before it is asked once more because its answers did not fit together.
    pub pause: Duration,
}

impl Default for Limits {
    /// A page of 500 VMs has a megabyte or two, and a large cloud takes many seconds to write one.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(120),
            bytes: 64 << 20,
            pause: Duration::from_secs(1),
        }
    }
}
