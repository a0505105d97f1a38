//! What can go wrong between the daemon and the kernel, each with what to do about it.

use std::io;
use std::path::PathBuf;

use aya::maps::MapError;
use aya::programs::ProgramError;
use ipv6_sg_common::abi::MAX_PORTS;

/// An answer of the kernel that is not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Not enough privileges.
    #[error("eBPF needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: run as root")]
    NotPermitted,
    /// No bpffs, and none could be mounted.
    #[error(
        "{path} is not on a bpffs and none could be mounted there ({reason}): mount one with `mount -t bpf bpf {path}`, or set pin_dir"
    )]
    NoBpffs {
        /// The pin directory.
        path: PathBuf,
        /// Why the mount failed. No `source`: the message has it, and printing the chain would say it twice.
        reason: io::Error,
    },
    /// A file operation on the pin directory failed.
    #[error("cannot {action} {path}: {reason}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        reason: io::Error,
    },
    /// Nothing is pinned.
    #[error("nothing is enforced here: no maps are pinned in {path}; start `ipv6-sg daemon`, or check pin_dir")]
    NothingPinned {
        /// Where the maps would be.
        path: PathBuf,
    },
    /// A pinned map is not the map its name promises.
    #[error(
        "the pinned map {path} has {found}, but this program needs {wanted}: stop the daemon and remove the directory {directory}"
    )]
    ForeignMap {
        /// The map's pin.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What is needed.
        wanted: String,
        /// What to remove.
        directory: PathBuf,
    },
    /// What the kernel does to a packet after the programs have judged it cannot be seen.
    #[error(
        "the kernel does not say how its packet buffers are laid out ({reason}): boot one with CONFIG_DEBUG_INFO_BTF=y, as distributions build them"
    )]
    SkbLayout {
        /// What is missing.
        reason: String,
    },
    /// Flows could not be timed.
    #[error(
        "the kernel does not tell the time by its tick ({reason}): clock_getres(2) and clock_gettime(2) of \
         CLOCK_MONOTONIC_COARSE must answer; a seccomp filter may forbid it"
    )]
    Clock {
        /// What it says.
        reason: String,
    },
    /// The object did not load.
    #[error("the kernel refused the eBPF object: {0}")]
    Object(Box<aya::EbpfError>),
    /// A program did not load.
    #[error("the kernel refused the program {name}: {reason}")]
    Program {
        /// The program.
        name: &'static str,
        /// Why, on one line; the verifier's whole log is traced at debug level.
        reason: String,
    },
    /// A map operation failed.
    #[error("cannot {action} the map {map}: {reason}")]
    Map {
        /// What was tried.
        action: &'static str,
        /// Which map.
        map: &'static str,
        /// The system's answer.
        reason: String,
    },
    /// Every place for a port is taken.
    #[error("no room for another port: a host can guard {MAX_PORTS}; remove ports from the state, or interfaces")]
    TooManyPorts,
    /// A program could not be attached.
    #[error("cannot attach {hook} to interface {interface}: {reason}")]
    Attach {
        /// Which hook.
        hook: &'static str,
        /// Which interface.
        interface: String,
        /// The system's answer.
        reason: String,
    },
    /// A program could not be taken off.
    #[error("cannot take {hook} off interface {interface}: {reason}")]
    Detach {
        /// Which hook.
        hook: &'static str,
        /// Which interface.
        interface: String,
        /// The system's answer.
        reason: String,
    },
    /// The interface vanished, or another one has its name now.
    #[error("interface {interface} (index {ifindex}) is gone")]
    InterfaceGone {
        /// The name it had.
        interface: String,
        /// The index it had.
        ifindex: u32,
    },
}

impl KernelError {
    pub(super) fn map(action: &'static str, map: &'static str) -> impl Fn(MapError) -> Self {
        move |error| Self::Map { action, map, reason: one_line(&error) }
    }

    pub(super) fn program(name: &'static str) -> impl Fn(ProgramError) -> Self {
        move |error| {
            if let ProgramError::LoadError { verifier_log, .. } = &error {
                tracing::debug!(program = name, "the verifier said: {verifier_log}");
            }
            if not_permitted(&error) {
                return Self::NotPermitted;
            }
            Self::Program { name, reason: one_line(&error) }
        }
    }

    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |reason| Self::File { action, path, reason }
    }
}

/// The first line of an error and of each of its causes: verifier logs have thousands.
pub(super) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let line = error.to_string();
        let line = line.lines().next().unwrap_or_default();
        if !text.contains(line) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(line);
        }
        next = error.source();
    }
    text
}

/// Whether EPERM is among the causes. Not EACCES: that is how the verifier refuses a program.
pub(super) fn not_permitted(error: &(dyn std::error::Error + 'static)) -> bool {
    caused_by(error, libc::EPERM)
}

/// Whether a pin could not be opened for want of privileges: the bpffs, or the kernel, says no.
pub(super) fn pin_not_permitted(error: &(dyn std::error::Error + 'static)) -> bool {
    not_permitted(error) || caused_by(error, libc::EACCES)
}

/// Whether this error number is among the causes.
pub(super) fn caused_by(error: &(dyn std::error::Error + 'static), number: i32) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error() == Some(number)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Removing what is not there is no failure.
pub(super) fn absent(result: Result<(), MapError>) -> Result<(), MapError> {
    match result {
        Err(error) if caused_by(&error, libc::ENOENT) => Ok(()),
        result => result,
    }
}
