//! The commands of the kernel's bpf(2) that aya has no use for.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::{io, ptr};

use aya::maps::{MapData, MapType};

/// `enum bpf_cmd`
const MAP_DELETE_ELEM: libc::c_int = 3;
const BTF_GET_FD_BY_ID: libc::c_int = 19;
const MAP_LOOKUP_BATCH: libc::c_int = 24;

/// What the kernel answers when a map has no such command, on all architectures: none of those that libc knows.
pub(super) const ENOTSUPP: libc::c_int = 524;

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

/// The head of `union bpf_attr` for commands on many elements of a map.
#[repr(C)]
struct Batch {
    from: u64,
    next: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// What [`lookup_batch`] read.
pub(super) struct Read<P> {
    /// How many entries.
    pub(super) count: usize,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<P>,
}

/// Opens the BTF with this id.
pub(super) fn btf_by_id(id: u32) -> io::Result<OwnedFd> {
    // SAFETY: the attributes point nowhere.
    let fd = unsafe { bpf(BTF_GET_FD_BY_ID, &mut ById { id, next_id: 0, flags: 0 }) }?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Removes an element of a map whose keys are `u32`. aya does so for hashes only, and an array of maps has it too.
pub(super) fn delete(map: BorrowedFd<'_>, key: u32) -> io::Result<()> {
    let key = ptr::from_ref(&key) as u64;
    let mut element = Element { map: map.as_raw_fd().cast_unsigned(), padding: 0, key, value: 0, flags: 0 };
    // SAFETY: the key outlives the call, and is only read.
    unsafe { bpf(MAP_DELETE_ELEM, &mut element) }.map(drop)
}

/// Reads entries of a map into the beginning of `keys` and `values`, as many as there is room for, on from where an earlier
/// call ended. Of a hash map whole buckets, by their `u32`: `ENOSPC` when the first of them has no room. Of a longest-prefix
/// map single entries, by their keys: [`ENOTSUPP`] before Linux 5.13.
///
/// # Errors
/// The kernel's answer, or `EINVAL` when it is no map of such keys and values that goes on from a `P`.
pub(super) fn lookup_batch<K: bytemuck::Pod, V: bytemuck::Pod, P: bytemuck::Pod>(
    map: &MapData,
    from: Option<P>,
    keys: &mut [K],
    values: &mut [V],
) -> io::Result<Read<P>> {
    let info = map.info().map_err(io::Error::other)?;
    let place = match info.map_type() {
        Ok(MapType::Hash | MapType::LruHash) => Some(size_of::<u32>()),
        Ok(MapType::LpmTrie) => Some(size_of::<K>()),
        _ => None,
    };
    let sizes = (usize::try_from(info.key_size()), usize::try_from(info.value_size()));
    if place != Some(size_of::<P>()) || sizes != (Ok(size_of::<K>()), Ok(size_of::<V>())) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let mut next = P::zeroed();
    let mut batch = Batch {
        from: from.as_ref().map_or(0, |from| ptr::from_ref(from) as u64),
        next: ptr::from_mut(&mut next) as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: u32::try_from(keys.len().min(values.len())).map_err(io::Error::other)?,
        map: map.fd().as_fd().as_raw_fd().cast_unsigned(),
        element_flags: 0,
        flags: 0,
    };
    // SAFETY: everything pointed to outlives the call. The kernel writes at most `count` keys and values, of the sizes
    // compared above; both slices have room for so many, and any bytes are valid ones. It reads and writes one place to go
    // on from, which in these kinds of maps is as large as a `P`.
    let ended = match unsafe { bpf(MAP_LOOKUP_BATCH, &mut batch) } {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
        read => read.map(|_| false)?,
    };
    let count = usize::try_from(batch.count).map_err(io::Error::other)?;
    Ok(Read { count, next: (!ended).then_some(next) })
}

/// # Safety
/// What the attributes point to must be there until the call returns, and as large as the command takes it for.
unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<RawFd> {
    let size = libc::c_uint::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the attributes are `size` bytes, writable; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_mut(attributes), size) };
    RawFd::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(io::Error::last_os_error)
}
