//! A packet socket that takes a virtio-net header with each frame: for frames that are to lie in memory in some way, or are
//! left unfinished.

use std::io;

use super::Netns;
use super::frames::Frames;
use super::socket::{bind, packet_socket, switch_on};
use super::tap::VnetHdr;

/// The kernel keeps frames linear that fit a page.
pub const LEAST: usize = 4096;

/// It only sends.
#[derive(Debug)]
pub struct VnetSocket {
    frames: Frames,
}

impl VnetSocket {
    /// Opens it on an interface of a namespace.
    #[track_caller]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        netns.inside(|| Self::open_here(interface)).unwrap_or_else(|error| panic!("a socket on {interface}: {error}"))
    }

    /// Opens it on an interface of this thread's namespace.
    ///
    /// # Errors
    /// There is no such interface, or whoever asks is not root.
    pub fn open_here(interface: &str) -> io::Result<Self> {
        let socket = packet_socket()?;
        switch_on(&socket, libc::PACKET_VNET_HDR)?;
        bind(&socket, interface, 0)?;
        Ok(Self { frames: Frames::new(socket) })
    }

    /// Sends a frame, and says what is left to do about it.
    ///
    /// # Errors
    /// What the kernel says: `EINVAL` to a header that contradicts the frame, `ENOBUFS` when the frame was dropped on its way
    /// out.
    pub fn send(&self, header: &VnetHdr, frame: &[u8]) -> io::Result<()> {
        self.frames.try_send(&header.before(frame))
    }

    /// Sends a frame of at least [`LEAST`] bytes, of which the first `linear` lie in the linear part and the others in
    /// pages: what large packets are made of, and what direct packet access cannot read.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_paged(&self, frame: &[u8], linear: u16) -> io::Result<()> {
        assert!(frame.len() >= LEAST, "the kernel would not put it into pages");
        self.send(&VnetHdr { hdr_len: linear, ..VnetHdr::default() }, frame)
    }
}
