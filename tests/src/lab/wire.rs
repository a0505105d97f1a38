//! Frames as they are: packet sockets.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use std::os::fd::AsFd as _;

use super::Netns;
use crate::frame::Frame;

/// A packet socket on one interface: sees every frame that arrives there, none that leaves.
pub struct Wire {
    socket: OwnedFd,
}

/// `ETH_P_ALL` in network order.
const EVERY_TYPE: u16 = 3_u16.to_be();

/// Room for a burst while other tests have the processor.
const BUFFER: usize = 32 << 20;

impl Wire {
    /// Opens it on an interface of a namespace.
    #[track_caller]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        netns.inside(|| Self::open_here(interface)).unwrap_or_else(|error| panic!("a wire on {interface}: {error}"))
    }

    fn open_here(interface: &str) -> io::Result<Self> {
        // SAFETY: no memory is involved.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let one: libc::c_int = 1;
        let length = |size: usize| libc::socklen_t::try_from(size).expect("small");
        // SAFETY: the option's value is one int, which is there.
        let done = unsafe {
            let value = std::ptr::from_ref(&one).cast();
            libc::setsockopt(fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, value, length(size_of_val(&one)))
        };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
        // SAFETY: zero is a value of every field.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).expect("a small number");
        address.sll_protocol = EVERY_TYPE;
        address.sll_ifindex = i32::try_from(if_nametoindex(interface)?).expect("a small number");
        // SAFETY: an address of this length is there.
        let done =
            unsafe { libc::bind(fd, std::ptr::from_ref(&address).cast(), length(size_of::<libc::sockaddr_ll>())) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(Self { socket }) }
    }

    /// Sends a frame.
    #[track_caller]
    pub fn send(&self, frame: &Frame) {
        self.send_bytes(&frame.bytes);
    }

    /// Sends bytes, however little of a frame they are.
    #[track_caller]
    pub fn send_bytes(&self, bytes: &[u8]) {
        super::eventually("room to send", || match self.try_send(bytes) {
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => None,
            result => Some(result.expect("an interface that is up")),
        });
    }

    /// Sends bytes if the interface takes them.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: as many bytes as said are there.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The next frame, if one comes in this time.
    pub fn receive(&self, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut buffer = vec![0_u8; 70_000];
        loop {
            // SAFETY: as many bytes as said may be written.
            let got = unsafe { libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            if let Ok(length) = usize::try_from(got) {
                buffer.truncate(length);
                return Some(buffer);
            }
            let left = PollTimeout::try_from(deadline.saturating_duration_since(Instant::now())).expect("short");
            let ready = poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], left);
            if ready.is_ok_and(|ready| ready == 0) {
                return None;
            }
        }
    }

    /// All frames until one for which `last` holds, that one included.
    #[track_caller]
    pub fn until(&self, what: &str, last: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        super::eventually(what, || {
            while let Some(frame) = self.receive(Duration::ZERO) {
                let found = last(&frame);
                seen.push(frame);
                if found {
                    return Some(());
                }
            }
            None
        });
        seen
    }

    /// All frames that are there already.
    pub fn drain(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receive(Duration::ZERO)).collect()
    }
}
