//! Taps with a virtio-net header before each frame, as a hypervisor's process opens them: what a guest leaves to the host to
//! finish (checksums, segmentation) is said in the header, both ways.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use bytemuck::{Pod, Zeroable};

use super::Netns;
use super::frames::{self, Frames};

/// Bytes of `struct virtio_net_hdr`: what the kernel puts before frames unless it is told otherwise.
pub const VNET_HDR: libc::c_int = 10;
/// Bytes of `struct virtio_net_hdr_mrg_rxbuf`, which modern guests have: two more, a count of buffers that a tap leaves 0.
pub const VNET_HDR_MRG_RXBUF: libc::c_int = 12;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`, of [`VnetHdr::flags`]: the checksum is still to be computed.
pub const NEEDS_CSUM: u8 = 1;
/// `VIRTIO_NET_HDR_GSO_NONE`, of [`VnetHdr::gso_type`]: a frame as it is on the wire.
pub const GSO_NONE: u8 = 0;
/// `VIRTIO_NET_HDR_GSO_UDP`, of [`VnetHdr::gso_type`]: still to be cut into UDP fragments.
pub const GSO_UDP: u8 = 3;
/// `VIRTIO_NET_HDR_GSO_TCPV6`, of [`VnetHdr::gso_type`]: still to be cut into TCP segments.
pub const GSO_TCPV6: u8 = 4;

/// `struct virtio_net_hdr`: numbers in the host's byte order, lengths and offsets in bytes from the frame's start. By
/// default it asks for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct VnetHdr {
    /// [`NEEDS_CSUM`] or none.
    pub flags: u8,
    /// [`GSO_NONE`], [`GSO_TCPV6`], or another of the kernel's `VIRTIO_NET_HDR_GSO_*`.
    pub gso_type: u8,
    /// The length of all headers; a hint.
    pub hdr_len: u16,
    /// How much data each segment gets.
    pub gso_size: u16,
    /// Where the bytes begin that the checksum covers.
    pub csum_start: u16,
    /// Where the checksum belongs, from there.
    pub csum_offset: u16,
}

impl VnetHdr {
    /// The header with a frame behind it.
    pub(super) fn before(&self, frame: &[u8]) -> Vec<u8> {
        [bytemuck::bytes_of(self), frame].concat()
    }
}

/// A frame as it left a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What is left to do about it.
    pub header: VnetHdr,
    /// The frame, from the destination MAC on.
    pub bytes: Vec<u8>,
}

/// A tap, from the guest's side: what is sent here arrives at the host's interface, and what the host sends there is
/// received here. The interface goes when this is dropped.
pub struct Tap {
    frames: Frames,
    header: usize,
}

nix::ioctl_write_ptr_bad!(
    /// Makes the descriptor the other side of an interface.
    tunsetiff,
    libc::TUNSETIFF,
    libc::ifreq
);
nix::ioctl_write_ptr_bad!(
    /// Sets the length of the header.
    tunsetvnethdrsz,
    libc::TUNSETVNETHDRSZ,
    libc::c_int
);
nix::ioctl_write_int_bad!(
    /// Says what the guest can take unfinished.
    tunsetoffload,
    libc::TUNSETOFFLOAD
);

impl Tap {
    /// Makes it in a namespace, or opens one that is there and that nobody has open. `header` is [`VNET_HDR`] or
    /// [`VNET_HDR_MRG_RXBUF`]; `offloads` are libc's `TUN_F_*`, what the guest can take unfinished.
    #[track_caller]
    pub fn open(netns: &Netns, interface: &str, header: libc::c_int, offloads: libc::c_uint) -> Self {
        let opened = netns.inside(|| Self::open_here(interface, header, offloads));
        opened.unwrap_or_else(|error| panic!("a tap {interface}: {error}"))
    }

    fn open_here(interface: &str, header: libc::c_int, offloads: libc::c_uint) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        // SAFETY: zero is a value of every field.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let [room @ .., _] = &mut request.ifr_name;
        assert!(interface.len() <= room.len(), "{interface} is too long for an interface");
        for (place, byte) in room.iter_mut().zip(interface.bytes()) {
            *place = byte.cast_signed();
        }
        let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).expect("flags of 16 bits");
        let fd = file.as_raw_fd();
        // SAFETY: the kernel reads and writes one `ifreq`, which is there; its name ends with a zero.
        unsafe { tunsetiff(fd, &raw const request) }?;
        // SAFETY: the kernel reads one int, which is there.
        unsafe { tunsetvnethdrsz(fd, &raw const header) }?;
        // SAFETY: no memory is involved.
        unsafe { tunsetoffload(fd, offloads.cast_signed()) }?;
        Ok(Self { frames: Frames::new(file.into()), header: usize::try_from(header).expect("a length") })
    }

    /// Sends a frame, and says what is left to do about it.
    #[track_caller]
    pub fn send(&self, header: &VnetHdr, frame: &[u8]) {
        self.frames.send(&self.with_header(header, frame));
    }

    /// Sends a frame if the kernel takes it: it refuses a header that contradicts itself or the frame.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn try_send(&self, header: &VnetHdr, frame: &[u8]) -> io::Result<()> {
        self.frames.try_send(&self.with_header(header, frame))
    }

    fn with_header(&self, header: &VnetHdr, frame: &[u8]) -> Vec<u8> {
        let mut bytes = header.before(frame);
        let known = size_of::<VnetHdr>();
        bytes.splice(known..known, std::iter::repeat_n(0, self.header - known));
        bytes
    }

    /// The next frame, if one comes in this time.
    pub fn receive(&self, patience: Duration) -> Option<Received> {
        let mut header = self.frames.receive(patience)?;
        let bytes = header.split_off(self.header);
        Some(Received { header: bytemuck::pod_read_unaligned(&header[..size_of::<VnetHdr>()]), bytes })
    }

    /// All frames until one for which `last` holds, that one included.
    #[track_caller]
    pub fn until(&self, what: &str, last: impl Fn(&Received) -> bool) -> Vec<Received> {
        frames::until(what, || self.receive(Duration::ZERO), last)
    }

    /// All frames that are there already.
    pub fn drain(&self) -> Vec<Received> {
        std::iter::from_fn(|| self.receive(Duration::ZERO)).collect()
    }
}
