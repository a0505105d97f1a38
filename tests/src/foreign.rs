//! A tc program of somebody else, which gives every packet the same verdict.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use aya::programs::tc::{NlOptions, TcAttachOptions, TcHandle};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};

use crate::lab::Netns;

/// `BPF_PROG_LOAD` and `BPF_OBJ_PIN`.
const LOAD: libc::c_int = 5;
const PIN: libc::c_int = 6;
/// `BPF_PROG_TYPE_SCHED_CLS`.
const CLASSIFIER: u32 = 3;
/// `TCX_PASS`: the packet goes on its way, and no program behind this one sees it.
pub const ACCEPT: i32 = 0;

/// The part of `union bpf_attr` that loads a program.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
}

/// The part of `union bpf_attr` that pins.
#[repr(C)]
struct Pin {
    path: u64,
    fd: u32,
    flags: u32,
}

/// A loaded program. It comes off wherever it is when this is dropped.
pub struct Foreign {
    program: SchedClassifier,
}

impl Foreign {
    /// Loads a program of this name (at most 15 bytes) that says `verdict`, and pins it at a path on a bpffs.
    pub fn load(name: &str, verdict: i32, path: &Path) -> Self {
        let fd = load(name, verdict).unwrap_or_else(|error| panic!("a program: {error}"));
        pin(&fd, path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { program: SchedClassifier::from_pin(path).expect("just pinned") }
    }

    /// The kernel's number for it.
    pub fn id(&self) -> u32 {
        self.program.info().expect("it is loaded").id()
    }

    /// Attaches it before all others that are there (TCX).
    pub fn attach_first(&mut self, netns: &Netns, interface: &str, side: TcAttachType) {
        self.attach(netns, interface, side, TcAttachOptions::TcxOrder(LinkOrder::first()));
    }

    /// Attaches it as a filter of a clsact qdisc that is there.
    pub fn attach_filter(&mut self, netns: &Netns, interface: &str, side: TcAttachType, priority: u16, handle: u16) {
        let options = NlOptions { priority, handle: TcHandle::new(0, handle), classid: None };
        self.attach(netns, interface, side, TcAttachOptions::Netlink(options));
    }

    fn attach(&mut self, netns: &Netns, interface: &str, side: TcAttachType, options: TcAttachOptions) {
        let program = &mut self.program;
        netns.inside(|| program.attach_with_options(interface, side, options)).expect("attached");
    }
}

fn load(name: &str, verdict: i32) -> io::Result<OwnedFd> {
    let [a, b, c, d] = verdict.to_ne_bytes();
    // r0 = verdict; exit
    let instructions: [[u8; 8]; 2] = [[0xb7, 0, 0, 0, a, b, c, d], [0x95, 0, 0, 0, 0, 0, 0, 0]];
    let mut load = Load {
        kind: CLASSIFIER,
        count: u32::try_from(instructions.len()).expect("two"),
        instructions: instructions.as_ptr().addr() as u64,
        license: c"GPL".as_ptr().addr() as u64,
        ..Load::default()
    };
    load.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: a `Load` whose pointers point to what is alive until the call returns.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, LOAD, &raw const load, size_of::<Load>()) };
    let fd = libc::c_int::try_from(fd).expect("a descriptor is small");
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn pin(program: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let fd = u32::try_from(program.as_raw_fd()).expect("a descriptor is no error");
    let pin = Pin { path: path.as_ptr().addr() as u64, fd, flags: 0 };
    // SAFETY: a `Pin` whose path is alive until the call returns.
    let done = unsafe { libc::syscall(libc::SYS_bpf, PIN, &raw const pin, size_of::<Pin>()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
