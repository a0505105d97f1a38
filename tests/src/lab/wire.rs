//! Frames as they are: packet sockets.

use std::io;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use super::Netns;
use super::frames::{self, Frames};
use super::socket::{bind, packet_socket, switch_on};
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
