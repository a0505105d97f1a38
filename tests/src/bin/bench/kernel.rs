//! The two commands of the kernel that aya has no use for: a program of two instructions, and a timed run of any program.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// `enum bpf_cmd`
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;

/// `enum bpf_prog_type`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// tc.
    Tc = 3,
    /// XDP.
    Xdp = 6,
}

impl Kind {
    /// What the kernel is told to go on with: `TC_ACT_UNSPEC`, `XDP_PASS`.
    const fn next(self) -> i32 {
        match self {
            Self::Tc => -1,
            Self::Xdp => 2,
        }
    }
}

/// The head of `union bpf_attr` for a load.
#[repr(C)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// The head of `union bpf_attr` for a test run.
#[repr(C)]
struct TestRun {
    program: u32,
    verdict: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
}

/// Loads a program that looks at nothing: what a run costs by itself.
///
/// # Errors
/// The kernel refuses it.
pub fn empty(kind: Kind) -> Result<OwnedFd> {
    // r0 = next; exit. An instruction is opcode, registers, a 16-bit offset, a 32-bit number.
    let mut code = [[0xb7, 0, 0, 0, 0, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
    let [first, _] = &mut code;
    first[4..].copy_from_slice(&kind.next().to_ne_bytes());
    let license = c"GPL";
    let (instructions, code) = (2, ptr::from_ref(&code) as u64);
    let license = license.as_ptr() as u64;
    let mut load = Load { kind: kind as u32, instructions, code, license, log_level: 0, log_size: 0, log: 0 };
    let fd = bpf(PROG_LOAD, &mut load).context("the kernel refuses an empty program")?;
    // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Runs a program `repeat` times on a frame: what it answers, and how long one run takes on average.
///
/// # Errors
/// The kernel refuses the frame.
pub fn run(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> Result<(i32, Duration)> {
    let mut run = TestRun {
        program: program.as_raw_fd().cast_unsigned(),
        verdict: 0,
        size_in: u32::try_from(frame.len())?,
        size_out: 0,
        data_in: frame.as_ptr() as u64,
        data_out: 0,
        repeat,
        duration: 0,
        context_size_in: 0,
        context_size_out: 0,
        context_in: 0,
        context_out: 0,
    };
    bpf(PROG_TEST_RUN, &mut run).context("no test run")?;
    Ok((run.verdict.cast_signed(), Duration::from_nanos(run.duration.into())))
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    let size = libc::c_uint::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the attributes are `size` bytes, and what they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_mut(attributes), size) };
    libc::c_int::try_from(result).ok().filter(|result| *result >= 0).ok_or_else(io::Error::last_os_error)
}
