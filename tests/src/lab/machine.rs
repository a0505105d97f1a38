//! A VM as hypervisors run it: a kernel of its own in qemu, with virtio-net on a tap of the host.
//!
//! Kernel and initramfs are made by `cargo xtask test guest`; inside runs `src/bin/guest`, which takes orders on a serial
//! line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipv6_sg_common::mac::Mac;
use nix::sys::signal::Signal;

use super::{Netns, Process, eventually};
use crate::frame::Frame;

/// Names the directory with the guest's `kernel` and `initramfs`.
const IMAGE: &str = "IPV6_SG_GUEST";

/// What an order may take, in a machine whose processor is emulated.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running machine. It is switched off when dropped, and its tap goes with it.
pub struct Machine {
    qemu: Process,
    orders: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Machine {
    /// Switches a machine on whose network card is a tap of this name, made in the namespace. `socket` is a path for its
    /// serial line.
    #[track_caller]
    pub(super) fn start(netns: &Netns, tap: &str, mac: Mac, socket: &Path) -> Self {
        let image = std::env::var_os(IMAGE).map(PathBuf::from);
        let image = image.unwrap_or_else(|| panic!("{IMAGE} names no guest: run `cargo xtask test guest`"));
        let mut command = netns.command("qemu-system-x86_64");
        command.args(["-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"]);
        command.arg("-kernel").arg(image.join("kernel")).arg("-initrd").arg(image.join("initramfs"));
        command.args(["-append", "console=ttyS0 quiet panic=-1", "-serial", "stdio"]);
        command.args(["-serial", &format!("unix:{},server=on,wait=off", socket.display())]);
        command.args(["-netdev", &format!("tap,id=net,ifname={tap},script=no,downscript=no")]);
        command.args(["-device", &format!("virtio-net-pci,netdev=net,mac={mac}")]);
        let qemu = Process::start(command);
        let orders = eventually("a machine's serial line", || {
            assert!(qemu.ended().is_none(), "qemu ended: {:#?}", qemu.lines());
            UnixStream::connect(socket).ok()
        });
        orders.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let answers = BufReader::new(orders.try_clone().expect("a socket"));
        Self { qemu, orders, answers }
    }

    /// Waits until the guest takes orders.
    #[track_caller]
    pub(super) fn wait_ready(&mut self) {
        while self.answer() != "ready" {}
    }

    #[track_caller]
    fn answer(&mut self) -> String {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        assert!(read.as_ref().is_ok_and(|length| *length > 0), "{read:?}, the guest said: {:#?}", self.qemu.lines());
        line.trim_end().to_owned()
    }

    /// Gives an order, to be [answered](Self::answered) later.
    #[track_caller]
    pub fn begin(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("a serial line");
    }

    /// What the guest says to the order that it was given.
    ///
    /// # Errors
    /// Its answer, when it could not do it.
    #[track_caller]
    pub fn answered(&mut self) -> Result<String, String> {
        let mut said = String::new();
        loop {
            let line = self.answer();
            if let Some(line) = line.strip_prefix(' ') {
                said.push_str(line);
                said.push('\n');
            } else if line == "ok" {
                return Ok(said);
            } else if let Some(error) = line.strip_prefix("error: ") {
                return Err(error.to_owned());
            }
        }
    }

    /// Gives an order that must succeed.
    #[track_caller]
    pub fn order(&mut self, order: &str) -> String {
        self.begin(order);
        self.answered().unwrap_or_else(|error| panic!("{order}: {error}"))
    }

    /// Runs a command line in its shell.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> String {
        self.order(&format!("run {line}"))
    }

    /// Sends a frame from its network card.
    #[track_caller]
    pub fn send(&mut self, frame: &Frame) {
        self.order(&format!("frame eth0 {frame:?}"));
    }

    /// Pulls the plug, and waits until it is off.
    #[track_caller]
    pub fn off(mut self) {
        self.qemu.signal(Signal::SIGTERM);
        self.qemu.wait();
    }
}
