//! Frames whose bytes lie in pages, not in the linear part of the socket buffer: what large packets are made of, and what
//! direct packet access cannot read.

use std::io;

use super::Netns;
use super::frames::Frames;
use super::socket::{bind, packet_socket, switch_on};
use super::tap::VnetHdr;

/// The kernel keeps frames linear that fit a page.
pub const LEAST: usize = 4096;

/// A packet socket that only sends.
#[derive(Debug)]
pub struct Paged {
    frames: Frames,
}

impl Paged {
    /// Opens it on an interface of a namespace.
    #[track_caller]
    pub fn open(netns: &Netns, interface: &str) -> Self {
        netns.inside(|| Self::open_here(interface)).unwrap_or_else(|error| panic!("pages on {interface}: {error}"))
    }

    fn open_here(interface: &str) -> io::Result<Self> {
        let socket = packet_socket()?;
        // A header before each frame says how much of it is headers.
        switch_on(&socket, libc::PACKET_VNET_HDR)?;
        bind(&socket, interface, 0)?;
        Ok(Self { frames: Frames::new(socket) })
    }

    /// Sends a frame of at least [`LEAST`] bytes, of which the first `linear` lie in the linear part.
    ///
    /// # Errors
    /// What the kernel says; `ENOBUFS` when the frame was dropped on its way out.
    pub fn send(&self, frame: &[u8], linear: u16) -> io::Result<()> {
        assert!(frame.len() >= LEAST, "the kernel would not put it into pages");
        self.frames.try_send(&VnetHdr { hdr_len: linear, ..VnetHdr::default() }.before(frame))
    }
}
