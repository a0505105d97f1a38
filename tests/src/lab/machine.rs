//! A VM as hypervisors run it: a kernel of its own in qemu, with virtio-net on a tap of the host.
//!
//! Kernel and initramfs are made by `cargo xtask test guest`; inside runs `src/bin/guest`, which takes [`Orders`].

use std::path::{Path, PathBuf};

use ipv6_sg_common::mac::Mac;
use nix::sys::signal::Signal;

use super::{Netns, Orders, Process};

/// Names the directory with the guest's `kernel` and `initramfs`.
const IMAGE: &str = "IPV6_SG_GUEST";

/// Where the guest's `kernel` and `initramfs` are.
pub(super) fn image() -> PathBuf {
    let image = std::env::var_os(IMAGE).map(PathBuf::from);
    image.unwrap_or_else(|| panic!("{IMAGE} names no guest: run `cargo xtask test guest`"))
}

/// A running machine. It is switched off when dropped, and its tap goes with it.
pub struct Machine {
    qemu: Process,
    /// What its guest is told.
    pub orders: Orders,
}

impl Machine {
    /// Switches a machine on whose network card is a tap of this name, made in the namespace. `socket` is a path for its
    /// serial line.
    #[track_caller]
    pub(super) fn start(netns: &Netns, tap: &str, mac: Mac, socket: &Path) -> Self {
        let image = image();
        let mut command = netns.command("qemu-system-x86_64");
        command.args(["-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"]);
        command.arg("-kernel").arg(image.join("kernel")).arg("-initrd").arg(image.join("initramfs"));
        command.args(["-append", "console=ttyS0 quiet panic=-1", "-serial", "stdio"]);
        command.args(["-serial", &format!("unix:{},server=on,wait=off", socket.display())]);
        command.args(["-netdev", &format!("tap,id=net,ifname={tap},script=no,downscript=no")]);
        command.args(["-device", &format!("virtio-net-pci,netdev=net,mac={mac}")]);
        let qemu = Process::start(command);
        let orders = Orders::connect(socket, || {
            assert!(qemu.ended().is_none(), "qemu ended: {:#?}", qemu.lines());
        });
        Self { qemu, orders }
    }

    /// Pulls the plug, and waits until it is off.
    #[track_caller]
    pub fn off(mut self) {
        self.qemu.signal(Signal::SIGTERM);
        self.qemu.wait();
    }
}
