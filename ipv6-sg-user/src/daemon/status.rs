//! What the daemon says of itself: beyond the maps, which anybody can read.

use std::collections::BTreeMap;

use crate::kernel::KernelError;

/// What the daemon knows beyond the maps.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Status {
    /// Interfaces guarded with their port.
    pub guarded: Vec<String>,
    /// Interfaces that drop everything until their port arrives.
    pub quarantined: Vec<String>,
    /// Interfaces of ports that are not on this host now.
    pub missing: Vec<String>,
    /// Interfaces that an operator took enforcement off.
    pub detached: Vec<String>,
    /// What could not be done at the last attempt.
    pub errors: Vec<String>,
    /// Of these errors, those that are about one interface.
    #[serde(skip)]
    pub(super) failed: BTreeMap<String, String>,
    /// The one that is about the rules, and so about every port that has some.
    #[serde(skip)]
    pub(super) rules: Option<String>,
}

impl Status {
    /// As [`note`](Self::note), of something that was done to an interface.
    pub(super) fn note_of(&mut self, interface: &str, result: Result<(), KernelError>) -> bool {
        let (before, done) = (self.errors.len(), self.note(result));
        let errors = self.errors.get(before..).unwrap_or_default();
        self.failed.extend(errors.iter().map(|error| (interface.to_owned(), error.clone())));
        done
    }

    /// As [`note`](Self::note), of something that was done to the rules.
    pub(super) fn note_rules(&mut self, result: Result<(), KernelError>) {
        if !self.note(result) {
            self.rules = self.errors.last().cloned();
        }
    }

    /// Why a port with rules is not guarded as it should be, if it is not.
    pub(super) fn hindrance(&self, interface: &str) -> Option<String> {
        let failed = self.failed.get(interface).or(self.rules.as_ref());
        let has = |list: &[String]| list.iter().any(|name| name == interface);
        match failed {
            Some(error) => Some(error.clone()),
            None if has(&self.guarded) => None,
            None if has(&self.detached) => Some(format!(
                "enforcement was taken off {interface} by `ipv6-sg detach`; reload the daemon to put it back"
            )),
            None => Some(format!("{interface} is not on this host, or has gone meanwhile")),
        }
    }

    /// Whether it worked; what did not is kept. An interface that vanished meanwhile is no error: netlink tells of it.
    pub(super) fn note(&mut self, result: Result<(), KernelError>) -> bool {
        match result {
            Ok(()) => true,
            Err(KernelError::InterfaceGone { .. }) => false,
            Err(error) => {
                self.errors.push(error.to_string());
                false
            }
        }
    }
}
