//! What the daemon says of itself: beyond the maps, which anybody can read.

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
}

impl Status {
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
