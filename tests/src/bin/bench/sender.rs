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

/// Frames for each call into the kernel.
const BATCH: usize = 64;

/// Sends this frame from a guest for a while; how much time of the processor that took. Everything happens on it while it
/// sends, up to the arrival; what other programs take in between does not count.
pub fn send(guest: &Guest, frame: &[u8], time: Duration) -> Result<Duration> {
    guest.netns.inside(|| {
        // Always the same processor: moving costs more than the guard does.
        let mut cpus = CpuSet::new();
        cpus.set(0)?;
        sched_setaffinity(Pid::from_raw(0), &cpus).context("cannot stay on one processor")?;
        let socket = packet_socket().context("cannot open a packet socket")?;
        bind(&socket, "eth0", 0).context("cannot send on eth0")?;
        let (began, used) = (Instant::now(), processor_time()?);
        while began.elapsed() < time {
            batch(&socket, frame)?;
        }
        Ok(processor_time()?.saturating_sub(used))
    })
}

fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn batch(socket: &OwnedFd, frame: &[u8]) -> Result<()> {
    let mut part = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
    // SAFETY: all zero is a value of this structure: no name, no data.
    let mut message: libc::mmsghdr = unsafe { zeroed() };
    message.msg_hdr.msg_iov = &raw mut part;
    message.msg_hdr.msg_iovlen = 1;
    let mut messages = [message; BATCH];
    let count = libc::c_uint::try_from(messages.len())?;
    // SAFETY: `count` messages whose parts outlive the call; sending writes to none of them.
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
