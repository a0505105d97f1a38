//! tc programs as filters of the clsact qdisc: kernels before 6.6. Touches no filter but ours.

use std::mem::forget;

use aya::programs::links::Link as _;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle};
use aya::programs::{SchedClassifier, tc};

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
    let link = match program.attach_with_options(&to.interface, hook.tc_side(), TcAttachOptions::Netlink(options)) {
        Err(error) if caused_by(&error, libc::EEXIST) => {
            let id = program.attach_to_link(ours(to, hook)?).map_err(|error| refused(&error))?;
            program.take_link(id).map_err(|error| refused(&error))?
        }
        created => {
            let id = created.map_err(|error| refused(&error))?;
            let link = program.take_link(id).map_err(|error| refused(&error))?;
            // Who has the name was asked in there, and it may be another interface by now. Dropping the link takes the
            // filter off wherever it is: without a port there it would lose every packet.
            to.still_there()?;
            link
        }
    };
    // Dropping it would take the filter off.
    forget(link);
    Ok(())
}

/// Takes our filter off, if it is there.
pub(super) fn detach(from: &Attachment, hook: Hook) -> Result<()> {
    match ours(from, hook)?.detach() {
        // No such filter, or no such qdisc.
        Err(error) if caused_by(&error, libc::ENOENT) || caused_by(&error, libc::EINVAL) => Ok(()),
        // The interface went meanwhile, and the filter with it.
        Err(error) if caused_by(&error, libc::ENODEV) => Ok(()),
        result => result.map_err(|error| from.not_detached(hook)(&error)),
    }
}

/// Our filter on exactly this interface, whether it is there or not. Dropping it takes the filter off.
fn ours(on: &Attachment, hook: Hook) -> Result<SchedClassifierLink> {
    on.still_there()?;
    // This asks for the interface's index by its name. It is the one meant when the name means the same before and after.
    let link = SchedClassifierLink::attached(&on.interface, hook.tc_side(), PRIORITY, HANDLE, None);
    if let Err(gone) = on.still_there() {
        forget(link);
        return Err(gone);
    }
    link.map_err(|error| on.not_detached(hook)(&error))
}
