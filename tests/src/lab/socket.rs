//! Packet sockets by the system calls that nothing else wraps.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// A socket for whole frames that does not block, on no interface yet: it receives nothing.
///
/// # Errors
/// The kernel refuses it, whoever is not root.
pub fn packet_socket() -> io::Result<OwnedFd> {
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
///
/// # Errors
/// There is no such interface, or it is down.
pub fn bind(socket: &OwnedFd, interface: &str, kind: u16) -> io::Result<()> {
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
