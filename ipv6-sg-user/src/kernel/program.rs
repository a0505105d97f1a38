//! The loaded programs.

use std::collections::{BTreeSet, HashMap};

use aya::Ebpf;
use aya::maps::MapInfo;
use aya::programs::{ProgramInfo, SchedClassifier, Xdp, loaded_programs};
use ipv6_sg_common::abi::programs;

use super::hook::Hook;
use super::{KernelError, Result};

/// What makes two loaded programs the same: their instructions and the maps they share with user space. Not their
/// constants: those are this kernel's, in a map made anew at each load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    tag: u64,
    maps: BTreeSet<u32>,
}

impl Identity {
    pub(super) fn of(info: &ProgramInfo) -> Option<Self> {
        let maps = info.map_ids().ok()??;
        Some(Self { tag: info.tag(), maps: maps.into_iter().filter(|id| !holds_constants(*id)).collect() })
    }
}

/// Whether programs may only read the map.
fn holds_constants(map: u32) -> bool {
    const BPF_F_RDONLY_PROG: u32 = 1 << 7;
    MapInfo::from_id(map).is_ok_and(|info| info.map_flags() & BPF_F_RDONLY_PROG != 0)
}

/// The identities of all programs the kernel has, by id.
pub(super) fn loaded() -> HashMap<u32, Identity> {
    // A program may vanish while they are listed: it is then nobody's.
    loaded_programs().flatten().filter_map(|info| Some((info.id(), Identity::of(&info)?))).collect()
}

/// Loads all programs of the object into the kernel.
pub(super) fn load(ebpf: &mut Ebpf) -> Result<()> {
    tc(ebpf, Hook::FromVm)?.load().map_err(KernelError::program(programs::FROM_VM))?;
    tc(ebpf, Hook::ToVm)?.load().map_err(KernelError::program(programs::TO_VM))?;
    xdp(ebpf)?.load().map_err(KernelError::program(programs::SHIELD))
}

/// The tc program of a hook.
pub(super) fn tc(ebpf: &mut Ebpf, hook: Hook) -> Result<&mut SchedClassifier> {
    let name = hook.program();
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| KernelError::Program { name, reason: "the object has no such tc program".to_owned() })
}

/// The XDP program.
pub(super) fn xdp(ebpf: &mut Ebpf) -> Result<&mut Xdp> {
    let name = programs::SHIELD;
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| KernelError::Program { name, reason: "the object has no such XDP program".to_owned() })
}

/// The kernel's information on a hook's program.
pub(super) fn info(ebpf: &Ebpf, hook: Hook) -> Result<ProgramInfo> {
    let name = hook.program();
    let refused = |reason: String| KernelError::Program { name, reason };
    let program = ebpf.program(name).ok_or_else(|| refused("the object has no such program".to_owned()))?;
    program.info().map_err(|error| refused(super::error::one_line(&error)))
}
