//! Whether this process may do what guarding takes.

use caps::{CapSet, Capability};

use super::{KernelError, Result};

/// # Errors
/// [`KernelError::NotPermitted`], before anything is touched, rather than whichever operation happens to fail first.
pub fn check() -> Result<()> {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    let bpf = has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON);
    if has(Capability::CAP_NET_ADMIN) && (bpf || has(Capability::CAP_SYS_ADMIN)) {
        return Ok(());
    }
    Err(KernelError::NotPermitted)
}
