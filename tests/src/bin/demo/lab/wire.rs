//! Raw sockets: frames as they are, in and out of one interface.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, Result};
use nix::net::if_::if_nametoindex;

use super::Namespace;

/// A raw socket on one interface.
#[derive(Debug)]
pub struct Wire(OwnedFd);

/// Everything that arrived on an interface.
#[derive(Clone, Debug)]
pub struct Observer(Arc<Mutex<Vec<Vec<u8>>>>);

/// Longer than any frame here.
const FRAME: usize = 4096;

impl Wire {
    /// Opens the interface of this name in a namespace. With `everything` it receives too.
    ///
    /// # Errors
    /// There is no such interface, or the kernel refuses the socket.
    pub fn open(namespace: &Namespace, interface: &str, everything: bool) -> Result<Self> {
        let open = || -> Result<Self> {
            let index = if_nametoindex(interface)?;
            // SAFETY: a call without pointers.
            let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
            if fd < 0 {
                return Err(io::Error::last_os_error().into());
            }
            // SAFETY: the kernel has just opened it for us, and nobody else knows of it.
            let socket = unsafe { OwnedFd::from_raw_fd(fd) };
            // SAFETY: all zero is a value of this structure of numbers.
            let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            address.sll_family = u16::try_from(libc::AF_PACKET)?;
            address.sll_protocol = if everything { u16::try_from(libc::ETH_P_ALL)?.to_be() } else { 0 };
            address.sll_ifindex = index.cast_signed();
            let size = libc::socklen_t::try_from(size_of_val(&address))?;
            // SAFETY: `address` is `size` bytes long.
            let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) };
            if bound < 0 {
                return Err(io::Error::last_os_error().into());
            }
            Ok(Self(socket))
        };
        namespace.enter(open).with_context(|| format!("cannot open {interface} in {}", namespace.name()))
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// The interface does not take it.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        // SAFETY: the buffer is as long as said.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error()).context("cannot send a frame");
        }
        Ok(())
    }

    /// The next frame that came in, not one that was sent here.
    fn receive(&self) -> io::Result<Option<Vec<u8>>> {
        let mut frame = vec![0; FRAME];
        // SAFETY: all zero is a value of this structure of numbers.
        let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut size = libc::socklen_t::try_from(size_of_val(&from)).unwrap_or_default();
        // SAFETY: both buffers are as long as said.
        let length = unsafe {
            let from = (&raw mut from).cast();
            libc::recvfrom(self.0.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0, from, &raw mut size)
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        frame.truncate(length);
        Ok((from.sll_pkttype != libc::PACKET_OUTGOING).then_some(frame))
    }
}

impl Observer {
    /// Watches the interface from now on.
    ///
    /// # Errors
    /// As [`Wire::open`].
    pub fn new(namespace: &Namespace, interface: &str) -> Result<Self> {
        let wire = Wire::open(namespace, interface, true)?;
        let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let observer = Self(Arc::clone(&seen));
        thread::spawn(move || {
            // Ends with the program, or when the interface goes.
            while let Ok(frame) = wire.receive() {
                if let (Some(frame), Ok(mut seen)) = (frame, seen.lock()) {
                    seen.push(frame);
                }
            }
        });
        Ok(observer)
    }

    /// Whether a frame with the same content arrived. Its last bytes are compared: a receiving socket has taken tags off.
    pub fn saw(&self, content: &[u8]) -> bool {
        self.0.lock().is_ok_and(|seen| seen.iter().any(|frame| frame.ends_with(content)))
    }

    /// Forgets what it saw.
    pub fn forget(&self) {
        if let Ok(mut seen) = self.0.lock() {
            seen.clear();
        }
    }
}
