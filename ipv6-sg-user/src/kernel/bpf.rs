//! The commands of the kernel's bpf(2) that aya has no use for.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::{io, ptr};

/// `enum bpf_cmd`
const MAP_DELETE_ELEM: libc::c_int = 3;
const BTF_GET_FD_BY_ID: libc::c_int = 19;

/// The head of `union bpf_attr` for commands that take an id.
#[repr(C)]
struct ById {
    id: u32,
    next_id: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for commands on one element of a map.
#[repr(C)]
struct Element {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Opens the BTF with this id.
pub(super) fn btf_by_id(id: u32) -> io::Result<OwnedFd> {
    let fd = bpf(BTF_GET_FD_BY_ID, &ById { id, next_id: 0, flags: 0 })?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Removes an element of a map whose keys are `u32`. aya does so for hashes only, and an array of maps has it too.
pub(super) fn delete(map: BorrowedFd<'_>, key: u32) -> io::Result<()> {
    let key = ptr::from_ref(&key) as u64;
    let element = Element { map: map.as_raw_fd().cast_unsigned(), padding: 0, key, value: 0, flags: 0 };
    bpf(MAP_DELETE_ELEM, &element).map(drop)
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<RawFd> {
    let size = libc::c_uint::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the attributes are `size` bytes, which these commands only read, and what they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_ref(attributes), size) };
    RawFd::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(io::Error::last_os_error)
}
