//! Frames as fast as one processor sends them.

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ipv6_sg_tests::lab::{Guest, bind, no_room, packet_socket};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use crate::datagram::Datagrams;

/// Frames for each call into the kernel.
const BATCH: usize = 64;

/// Sends these from a guest for a while; how much time of the processor that took. Everything happens on it while it
/// sends, up to the arrival; what other programs take in between does not count.
///
/// # Errors
/// The kernel takes none.
pub fn send(guest: &Guest, datagrams: &mut Datagrams, time: Duration) -> Result<Duration> {
    guest.netns.inside(|| {
        stay()?;
        let socket = packet_socket().context("cannot open a packet socket")?;
        bind(&socket, "eth0", 0).context("cannot send on eth0")?;
        let (began, used) = (Instant::now(), processor_time()?);
        while began.elapsed() < time {
            batch(&socket, datagrams)?;
        }
        Ok(processor_time()?.saturating_sub(used))
    })
}

/// Lets this thread run on the first processor only: moving costs more than the guard does.
///
/// # Errors
/// The kernel refuses.
pub fn stay() -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(0)?;
    sched_setaffinity(Pid::from_raw(0), &cpus).context("cannot stay on one processor")
}

/// What this thread has had of a processor so far.
///
/// # Errors
/// The kernel has no such clock.
pub fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn batch(socket: &OwnedFd, datagrams: &mut Datagrams) -> Result<()> {
    let frames: [Vec<u8>; BATCH] = std::array::from_fn(|_| datagrams.next_frame());
    let mut parts =
        frames.each_ref().map(|frame| libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() });
    let mut messages = parts.each_mut().map(|part| {
        // SAFETY: all zero is a value of this structure: no name, no data.
        let mut message: libc::mmsghdr = unsafe { zeroed() };
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
        message
    });
    let count = libc::c_uint::try_from(messages.len())?;
    // SAFETY: `count` messages whose parts, and the frames they are of, outlive the call; sending writes to none of them.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
    if sent < 0 {
        let error = io::Error::last_os_error();
        // A full queue is what a flood meets.
        if !no_room(&error) {
            return Err(error).context("cannot send");
        }
    }
    Ok(())
}
