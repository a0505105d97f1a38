//! tc programs as filters of the clsact qdisc: kernels before 6.6.

use std::io;

use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::{ProgramError, SchedClassifier, tc};

use super::Result;
use super::error::caused_by;
use super::hook::{Attachment, Hook};

/// tc filters are found again by these two numbers. First of all filters, so that nothing forwards a packet unseen.
const PRIORITY: u16 = 1;
const HANDLE: TcHandle = TcHandle::new(0, 0x6967);

/// Attaches or replaces in one step: the filter is found by its priority and handle.
pub(super) fn attach(program: &mut SchedClassifier, to: &Attachment, hook: Hook) -> Result<()> {
    let refused = to.refused(hook);
    match tc::qdisc_add_clsact(&to.interface) {
        Err(error) if !caused_by(&error, libc::EEXIST) && !matches!(error, tc::TcError::AlreadyAttached) => {
            return Err(refused(&error));
        }
        _ => {}
    }
    let options = NlOptions { priority: PRIORITY, handle: HANDLE, classid: None };
    let created = program.attach_with_options(&to.interface, hook.tc_side(), TcAttachOptions::Netlink(options));
    let id = match created {
        Err(error) if caused_by(&error, libc::EEXIST) => {
            let old = SchedClassifierLink::attached(&to.interface, hook.tc_side(), PRIORITY, HANDLE, None);
            let old = old.map_err(|error| refused(&error))?;
            program.attach_to_link(old)
        }
        result => result,
    };
    let id = id.map_err(|error: ProgramError| refused(&error))?;
    let link = program.take_link(id).map_err(|error| refused(&error))?;
    // Dropping it would take the filter off.
    std::mem::forget(link);
    Ok(())
}

/// Takes the filter off, if it is there.
pub(super) fn detach(from: &Attachment, hook: Hook) -> Result<()> {
    match tc::qdisc_detach_program(&from.interface, hook.tc_side(), hook.program()) {
        Err(tc::TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(|error| from.refused(hook)(&error)),
    }
}
