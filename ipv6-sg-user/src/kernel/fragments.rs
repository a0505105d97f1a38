//! Each port's own memory of first fragments: a map inside a map.

use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::{io, ptr};

use aya::maps::{HashMap, HashOfMaps, Map, MapData};
use ipv6_sg_common::abi::{FirstFragment, FragmentKey, maps};

use super::error::one_line;
use super::object::OBJECT;
use super::pod::Raw;
use super::{KernelError, Result};

type Inner = HashMap<MapData, Raw<FragmentKey>, Raw<FirstFragment>>;
pub(super) type Outer = HashOfMaps<MapData, u32, Inner>;

/// `bpf_cmd::BPF_BTF_GET_FD_BY_ID` of the kernel's interface.
const BPF_BTF_GET_FD_BY_ID: libc::c_int = 19;

/// The head of `union bpf_attr` for commands that take an id.
#[repr(C)]
struct ById {
    id: u32,
    next_id: u32,
    flags: u32,
}

/// Makes inner maps that the outer one accepts.
#[derive(Debug)]
pub struct Maker {
    definition: aya_obj::Map,
    /// Kernels 5.15 to 6.1 refuse an inner map without BTF where the outer one's template has it.
    btf: Option<OwnedFd>,
}

impl Maker {
    /// `btf` is the id of the BTF that a program of the object was loaded with.
    pub fn new(btf: Option<u32>) -> Result<Self> {
        let refused = |reason: String| KernelError::Map { action: "create", map: maps::FRAGMENTS, reason };
        let object = aya_obj::Object::parse(OBJECT).map_err(|error| refused(one_line(&error)))?;
        let definition = object
            .maps
            .get(maps::FRAGMENTS)
            .and_then(aya_obj::Map::inner)
            .ok_or_else(|| refused("the object does not describe its inner map".to_owned()))?;
        let btf = btf.map(btf_by_id).transpose().map_err(|error| refused(error.to_string()))?;
        Ok(Self { definition, btf })
    }

    /// A new, empty memory.
    pub(super) fn make(&self) -> Result<Inner> {
        HashMap::try_from(self.map()?).map_err(KernelError::map("create", maps::FRAGMENTS))
    }

    /// A new, empty memory, not yet typed.
    pub fn map(&self) -> Result<Map> {
        let btf = self.btf.as_ref().map(|fd| fd.as_fd());
        let data = MapData::create(self.definition.clone(), "ipv6_sg_frag", btf);
        Ok(Map::LruHashMap(data.map_err(KernelError::map("create", maps::FRAGMENTS))?))
    }
}

fn btf_by_id(id: u32) -> io::Result<OwnedFd> {
    const SIZE: libc::c_uint = 12;
    const _: () = assert!(size_of::<ById>() == SIZE as usize);
    let attr = ById { id, next_id: 0, flags: 0 };
    // SAFETY: the command reads `SIZE` bytes at the pointer, which are there.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_BTF_GET_FD_BY_ID, ptr::from_ref(&attr), SIZE) };
    let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
