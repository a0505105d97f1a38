//! Why the management server's answer is none. One line, without a key in it.

use std::io;
use std::path::PathBuf;

/// What keeps the API from being asked, or its answer from being one.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A key.
    #[error("{}: {problem}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: KeyProblem,
    },
    /// Where the API is.
    #[error("url = {url:?}: {problem}; write one like https://mgmt.example/client/api")]
    Url {
        /// As it is set, if it shows no password.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The certificates of authorities.
    #[error("{}: {problem}; write certificates as PEM", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody to believe.
    #[error("no certificate of any authority on this machine: {0}; install ca-certificates, or set ca_file")]
    NoAuthority(String),
    /// The machine does not know its name.
    #[error("this machine's host name cannot be read: {0}; set host to its name in CloudStack")]
    HostName(io::Error),
    /// No answer.
    #[error("{command}: no answer from {url}: {reason}")]
    NoAnswer {
        /// What was asked.
        command: &'static str,
        /// Where.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The keys are not accepted.
    #[error(
        "{command}: CloudStack refuses the keys (401: {text}); check both key files, that their user is enabled and may \
         call this, and this machine's clock"
    )]
    Unauthorized {
        /// What was asked.
        command: &'static str,
        /// CloudStack's words.
        text: String,
    },
    /// CloudStack has reasons.
    #[error("{command}: CloudStack answers {status}: {text}")]
    Refused {
        /// What was asked.
        command: &'static str,
        /// The status of HTTP.
        status: u16,
        /// CloudStack's words.
        text: String,
    },
    /// Whoever answers is not CloudStack, or not well.
    #[error("{command}: {url} answers {status} and is not CloudStack's API; check url, and what is in between")]
    NotTheApi {
        /// What was asked.
        command: &'static str,
        /// Where.
        url: String,
        /// The status of HTTP.
        status: u16,
    },
    /// An answer without end.
    #[error("{command}: the answer has more than {bytes} bytes and is not read")]
    TooLong {
        /// What was asked.
        command: &'static str,
        /// How many there may be.
        bytes: u64,
    },
    /// An answer that is not one.
    #[error("{command}: not an answer of CloudStack's: {problem}")]
    Answer {
        /// What was asked.
        command: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A release that does not tell what it is asked.
    #[error("CloudStack {0} cannot list the VMs of projects and accounts together; releases from 4.14 on can")]
    Release(String),
    /// CloudStack does not know this host.
    #[error("CloudStack has no host {host:?}{others}; set host to this host's name in CloudStack")]
    UnknownHost {
        /// What was looked for.
        host: String,
        /// What was found besides.
        others: String,
    },
    /// CloudStack knows several hosts of this name.
    #[error("CloudStack has {count} hosts {host:?}; set host to the id of this one")]
    SeveralHosts {
        /// What was looked for.
        host: String,
        /// How many there are.
        count: usize,
    },
    /// The answers contradict each other, each time they were asked for.
    #[error("{command}: {problem}, {attempts} times in a row; nothing is changed")]
    Unsteady {
        /// What was asked.
        command: &'static str,
        /// What does not fit.
        problem: String,
        /// How often it was asked.
        attempts: u32,
    },
}

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyProblem {
    /// The system would not let it be read.
    #[error(transparent)]
    Read(io::Error),
    /// Something else has its place.
    #[error("not a regular file; name one")]
    NotAFile,
    /// It is no secret.
    #[error("others may read or write it (mode {0:04o}); chmod 600 it, and make new keys")]
    Readable(u32),
    /// It is no key.
    #[error("not a key; write the key alone, as CloudStack shows it")]
    NotAKey,
}
