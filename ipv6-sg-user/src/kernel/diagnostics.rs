//! What the kernel programs log of themselves, passed on to the daemon's log. Built only with the feature `diagnostics`.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use aya::Ebpf;
use aya_log::EbpfLogger;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Starts passing on; a failure is named and otherwise without consequence.
pub(super) fn start(ebpf: &mut Ebpf) {
    let mut logger = match EbpfLogger::init(ebpf) {
        Ok(logger) => logger,
        Err(error) => return tracing::warn!("no diagnostics from the kernel programs: {error}"),
    };
    let spawned = std::thread::Builder::new().name("diagnostics".to_owned()).spawn(move || {
        loop {
            // SAFETY: the logger owns the descriptor and lives as long as this thread.
            let fd = unsafe { BorrowedFd::borrow_raw(logger.as_raw_fd()) };
            if let Err(error) = poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::NONE)
                && error != nix::errno::Errno::EINTR
            {
                return tracing::warn!("no more diagnostics from the kernel programs: {error}");
            }
            logger.flush();
        }
    });
    if let Err(error) = spawned {
        tracing::warn!("no diagnostics from the kernel programs: {error}");
    }
}
