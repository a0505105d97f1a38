//! Frames as they are: packet sockets.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};

use super::Netns;
use super::frames::{self, Frames};
use crate::frame::Frame;

/// A packet socket on one interface: sees every frame that arrives there, none that leaves.
#[derive(Debug)]
pub struct Wire {
    frames: Frames,
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
        let socket = packet_socket()?;
        switch_on(&socket, libc::PACKET_IGNORE_OUTGOING)?;
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER)?;
        bind(&socket, interface, EVERY_TYPE)?;
        Ok(Self { frames: Frames::new(socket) })
    }

    /// Sends a frame.
    #[track_caller]
    pub fn send(&self, frame: &Frame) {
        self.send_bytes(&frame.bytes);
    }

    /// Sends bytes, however little of a frame they are.
    #[track_caller]
    pub fn send_bytes(&self, bytes: &[u8]) {
        self.frames.send(bytes);
    }

    /// Sends bytes if the interface takes them.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<()> {
        self.frames.try_send(bytes)
    }

    /// The next frame, if one comes in this time.
    pub fn receive(&self, patience: Duration) -> Option<Vec<u8>> {
        self.frames.receive(patience)
    }

    /// All frames until one for which `last` holds, that one included.
    #[track_caller]
    pub fn until(&self, what: &str, last: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        frames::until(what, || self.receive(Duration::ZERO), |frame| last(frame))
    }

    /// All frames that are there already.
    pub fn drain(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receive(Duration::ZERO)).collect()
    }
}

/// A socket for whole frames that does not block, on no interface yet: it receives nothing.
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Packet, SockType::Raw, flags, None)?)
}

/// Switches on one of libc's `PACKET_*` options.
pub(super) fn switch_on(socket: &OwnedFd, option: libc::c_int) -> io::Result<()> {
    let one: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&one)).expect("small");
    // SAFETY: a value of this length is there.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, (&raw const one).cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Puts it on an interface of this thread's namespace, to send there and to receive frames of a type, which is in network
/// order; 0 is none.
pub(super) fn bind(socket: &OwnedFd, interface: &str, kind: u16) -> io::Result<()> {
    // SAFETY: zero is a value of every field.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).expect("a small number");
    address.sll_protocol = kind;
    address.sll_ifindex = i32::try_from(if_nametoindex(interface)?).expect("a small number");
    let length = libc::socklen_t::try_from(size_of_val(&address)).expect("small");
    // SAFETY: an address of this length is there.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
