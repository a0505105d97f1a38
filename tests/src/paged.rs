//! Frames whose bytes lie in pages, not in the linear part of the socket buffer: what large packets are made of, and what
//! direct packet access cannot read.

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use nix::net::if_::if_nametoindex;

use crate::lab::Netns;

/// `PACKET_VNET_HDR` of the kernel's interface: a header before each frame that says how much of it is headers.
const PACKET_VNET_HDR: libc::c_int = 15;

/// The kernel keeps frames linear that fit a page.
pub const LEAST: usize = 4096;

/// A packet socket that only sends.
#[derive(Debug)]
pub struct Paged {
    socket: OwnedFd,
}

impl Paged {
    /// Opens it on an interface of a namespace.
    pub fn open(netns: &Netns, interface: &str) -> Self {
        netns.inside(|| Self::open_here(interface)).unwrap_or_else(|error| panic!("pages on {interface}: {error}"))
    }

    fn open_here(interface: &str) -> io::Result<Self> {
        let done = |result: libc::c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) };
        let length = |size: usize| libc::socklen_t::try_from(size).expect("small");
        // SAFETY: no memory is involved.
        let fd = done(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
        // SAFETY: just opened, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let one: libc::c_int = 1;
        let value = std::ptr::from_ref(&one).cast();
        // SAFETY: the option's value is one int, which is there.
        done(unsafe { libc::setsockopt(fd, libc::SOL_PACKET, PACKET_VNET_HDR, value, length(size_of_val(&one))) })?;
        // SAFETY: zero is a value of every field.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).expect("a small number");
        address.sll_ifindex = i32::try_from(if_nametoindex(interface)?).expect("a small number");
        let at = std::ptr::from_ref(&address).cast();
        // SAFETY: an address of this length is there.
        done(unsafe { libc::bind(fd, at, length(size_of::<libc::sockaddr_ll>())) })?;
        Ok(Self { socket })
    }

    /// Sends a frame of at least [`LEAST`] bytes, of which the first `linear` lie in the linear part.
    ///
    /// # Errors
    /// What the kernel says; `ENOBUFS` when the frame was dropped on its way out.
    pub fn send(&self, frame: &[u8], linear: u16) -> io::Result<()> {
        assert!(frame.len() >= LEAST, "the kernel would not put it into pages");
        // flags, kind of segmentation, length of the headers, three fields more that mean nothing without segmentation
        let [low, high] = linear.to_ne_bytes();
        let bytes = [&[0, 0, low, high, 0, 0, 0, 0, 0, 0][..], frame].concat();
        // SAFETY: as many bytes as said are there.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
